//! NVIDIA's board files (`*.conf` of the BSP), which are shell scripts: read as flash.sh reads them.

use crate::errors::BoardConfError;
use carveout_host::error::{At, Result};
use carveout_host::tools::{capture, shell};
use std::path::{Component, Path};
use xshell::cmd;

/// What flash.sh of L4T R32.7 makes of a board file: the kernel's command line (lines 1926 to 1941), what tells NVIDIA's updaters of the
/// board (lines 2620 to 2638), and the names of the files that it signs, for a board as it is sold. A NUL behind each.
const SCRIPT: &str = r#"set -e
LDK_DIR=$1
cd "$LDK_DIR"
process_fuse_level() { :; }
source "$LDK_DIR/$2.conf" > /dev/null
process_fuse_level fuselevel_production > /dev/null
cmdline="root=/dev/$3 rw rootwait rootfstype=ext4 "
if [ "${CMDLINE_ADD}" != "" ]; then cmdline+="${CMDLINE_ADD} "; fi
for string in ${CMDLINE}; do
  name=$(echo "$string" | sed "s|\(.*\)=.*|\1|")
  if [[ "${cmdline}" =~ $name ]]; then
    cmdline=$(echo "$cmdline" | sed "s|$name=[0-9a-zA-Z:/]*|$string|")
  else
    cmdline+="${string} "
  fi
done
bct=bootloader/$target_board/BCT
printf '%s\0' "${USE_UBOOT:-0}" "$cmdline" "$CHIPID" "${OTA_BOOT_DEVICE:-/dev/mmcblk0boot0}" "${OTA_GPT_DEVICE:-/dev/mmcblk0boot1}" "$TOSFILE" \
  "${DTB_FILE:+kernel/dtb/$DTB_FILE}" "$MB1FILE" "${SOSFILE:-$MB1FILE}" "${MB2APPLET:+bootloader/$MB2APPLET}" "${SOFT_FUSES:+$bct/$SOFT_FUSES}" \
  "$EKSFILE" "$MISC_COLD_BOOT_CONFIG" "$MISC_CONFIG" "$EMMC_CFG" "$TEGRABOOT" "$WB0BOOT" "$FLASHER" "$TBCFILE" "$BPFFILE" "$MB2BLFILE"
"#;

/// What a board file says. A file is empty where it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardConf {
    /// Whether the partition of the kernel gets U-Boot, which takes kernel and initrd from the root filesystem.
    pub u_boot: bool,
    /// The kernel's command line. It goes into the header of boot.img and into extlinux.conf.
    pub command_line: String,
    /// The chip, as `0x19`.
    pub chip: String,
    /// Where the boot files are, for updaters.
    pub boot_device: String,
    /// Where the table of partitions is, likewise.
    pub table_device: String,
    /// The secure-os image that flash.sh signs, relative to the BSP: TOSFILE.
    pub secure_os: String,
    /// The device tree, likewise.
    pub device_tree: String,
    /// The first boot loader, which is sent to a board to read its EEPROM, likewise.
    pub mb1: String,
    /// What the boot ROM is sent in recovery mode, likewise: of t186 a boot loader of its own.
    pub recovery: String,
    /// What then reads a module's EEPROM, likewise.
    pub applet: String,
    /// Soft fuses for that, likewise.
    pub soft_fuses: String,
    /// The EKB, likewise.
    pub ekb: String,
    /// Names of the misc boot configs of the cold boot and of flashing, and of the layout.
    pub configs: [String; 3],
    /// Other files that it names, likewise.
    pub others: Vec<String>,
}

impl BoardConf {
    /// All files that it names and a build needs.
    pub fn files(&self) -> impl Iterator<Item = &String> {
        let recovery = Some(&self.recovery).filter(|name| **name != self.mb1);
        let named = [&self.device_tree, &self.mb1, &self.applet, &self.soft_fuses, &self.ekb];
        named.into_iter().chain(recovery).chain(&self.others).filter(|name| !name.is_empty())
    }
}

/// Reads a board's file.
pub fn read(bsp: &Path, board: &str, root_device: &str) -> Result<BoardConf> {
    let sh = shell(bsp)?;
    let bsp = std::fs::canonicalize(bsp).at(bsp)?;
    let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    let cmd = cmd!(sh, "env -i LC_ALL=C {path} bash -c {SCRIPT} bash {bsp} {board} {root_device}");
    let text = capture("bash", cmd);
    let file = format!("{}/{board}.conf", bsp.display());
    let Ok(text) = text else { return Err(BoardConfError::Unreadable { file }.into()) };
    if text.contains('\n') {
        return Err(BoardConfError::SeveralLines { file }.into());
    }
    let mut words = text.split('\0').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    let mut conf = BoardConf {
        u_boot: next() == "1",
        command_line: next(),
        chip: next(),
        boot_device: next(),
        table_device: next(),
        secure_os: next(),
        device_tree: next(),
        mb1: next(),
        recovery: next(),
        applet: next(),
        soft_fuses: next(),
        ekb: next(),
        configs: [next(), next(), next()],
        others: Vec::new(),
    };
    conf.others.extend(words);
    if conf.command_line.contains(['|', '\\', '&']) {
        let command_line = conf.command_line;
        return Err(BoardConfError::CommandLine { file, command_line }.into());
    }
    let inside = |path: &str| Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    if conf.secure_os.is_empty() || !inside(&conf.secure_os) {
        let secure_os = conf.secure_os.escape_debug().to_string();
        return Err(BoardConfError::SecureOsPath { file, secure_os }.into());
    }
    if let Some(name) = conf.files().find(|name| !inside(name)) {
        return Err(BoardConfError::Outside { file, name: name.escape_debug().to_string() }.into());
    }
    Ok(conf)
}

/// The files that a board's file reads, by its text: what cannot be read at all is named, too.
pub fn sourced(bsp: &Path, board: &str) -> Vec<String> {
    let text = std::fs::read(bsp.join(format!("{board}.conf"))).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let words = text.lines().filter_map(|line| line.trim().strip_prefix("source "));
    let named = words.filter_map(|line| line.trim_matches([' ', ';', '"']).strip_prefix("${LDK_DIR}/"));
    named.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn a_board_file_gives_the_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("b.conf", "source \"${LDK_DIR}/common\";\necho noise\n");
        write(
            "common",
            "TOSFILE=bootloader/tos.img;\nCHIPID=0x19;\nCMDLINE_ADD=\"console=ttyTCU0,115200n8 net.ifnames=0\";\n",
        );
        let read = || super::read(dir.path(), "b", "mmcblk0p1");
        let found = read().unwrap();
        let all = "root=/dev/mmcblk0p1 rw rootwait rootfstype=ext4 console=ttyTCU0,115200n8 net.ifnames=0 ";
        assert_eq!(found.command_line, all);
        let devices = [&found.chip, &found.boot_device, &found.table_device];
        assert_eq!(devices, ["0x19", "/dev/mmcblk0boot0", "/dev/mmcblk0boot1"]);
        assert_eq!((&*found.secure_os, &*found.ekb), ("bootloader/tos.img", ""));
        assert_eq!((found.files().count(), super::sourced(dir.path(), "b")), (0, vec!["common".to_owned()]));
        write(
            "common",
            "TOSFILE=t; target_board=t186ref; DTB_FILE=a.dtb; MB1FILE=b/mb1_dev.bin; MB2APPLET=x.bin; SOFT_FUSES=s.cfg;\n\
             SOSFILE=b/recovery.bin; USE_UBOOT=1;\n\
             MISC_CONFIG=f.cfg; MISC_COLD_BOOT_CONFIG=c.cfg; EMMC_CFG=l.xml; EKSFILE=b/eks.img;\n\
             process_fuse_level() { MB1FILE=${MB1FILE/dev/$1}; }\n",
        );
        let found = read().unwrap();
        assert_eq!(
            found.files().collect::<Vec<_>>(),
            [
                "kernel/dtb/a.dtb",
                "b/mb1_fuselevel_production.bin",
                "bootloader/x.bin",
                "bootloader/t186ref/BCT/s.cfg",
                "b/eks.img",
                "b/recovery.bin"
            ]
        );
        assert_eq!(found.configs, ["c.cfg", "f.cfg", "l.xml"]);
        assert!(found.u_boot);
        write("common", "TOSFILE=t; CMDLINE_ADD=a=1; CMDLINE='a=2 quiet'; OTA_GPT_DEVICE=/dev/x");
        let found = read().unwrap();
        assert_eq!(found.command_line, "root=/dev/mmcblk0p1 rw rootwait rootfstype=ext4 a=2 quiet ");
        assert_eq!(found.table_device, "/dev/x");
        write("common", "CMDLINE_ADD='a|b'");
        assert!(read().unwrap_err().message.contains("flash.sh can use no |"));
        write("common", "CMDLINE_ADD='a\nb'");
        assert!(read().unwrap_err().message.contains("more than one line"));
        for other in ["", "/etc/passwd", "../tos.img"] {
            write("common", &format!("TOSFILE={other}"));
            assert!(read().unwrap_err().message.contains("TOSFILE is `"), "{other}");
        }
        write("common", "TOSFILE=t; EKSFILE=/etc/passwd");
        assert!(read().unwrap_err().message.contains("names `/etc/passwd`"));
        assert!(super::read(dir.path(), "other", "x").unwrap_err().message.contains("cannot read it"));
    }
}
