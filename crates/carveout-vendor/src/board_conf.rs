//! NVIDIA's board files (`*.conf` of the BSP), which are shell scripts: read as flash.sh reads them.

use crate::errors::BoardConfError;
use carveout_host::error::{At, Result};
use carveout_host::tools::{capture, shell};
use std::path::{Component, Path};
use xshell::cmd;

/// What flash.sh of L4T R32.7 makes of a board file: the kernel's command line (lines 1926 to 1941) and what tells NVIDIA's
/// updaters of the board (lines 2620 to 2638); which secure-os image it signs (line 1799). A line for each.
const SCRIPT: &str = r#"set -e
LDK_DIR=$1
cd "$LDK_DIR"
source "$LDK_DIR/$2.conf" > /dev/null
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
printf '%s\n' "$cmdline" "${CHIPID}" "${OTA_BOOT_DEVICE:-/dev/mmcblk0boot0}" "${OTA_GPT_DEVICE:-/dev/mmcblk0boot1}" "${TOSFILE}"
"#;

/// What a board file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardConf {
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
    let [command_line, chip, boot_device, table_device, secure_os] = text.split('\n').collect::<Vec<_>>()[..]
    else {
        return Err(BoardConfError::SeveralLines { file }.into());
    };
    if command_line.contains(['|', '\\', '&']) {
        return Err(BoardConfError::CommandLine { file, command_line: command_line.into() }.into());
    }
    let inside = |path: &str| Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    if secure_os.is_empty() || !inside(secure_os) {
        let secure_os = secure_os.escape_debug().to_string();
        return Err(BoardConfError::SecureOsPath { file, secure_os }.into());
    }
    let [command_line, chip, boot_device, table_device, secure_os] =
        [command_line, chip, boot_device, table_device, secure_os].map(str::to_owned);
    Ok(BoardConf { command_line, chip, boot_device, table_device, secure_os })
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
        let devices = [found.chip, found.boot_device, found.table_device];
        assert_eq!(devices, ["0x19", "/dev/mmcblk0boot0", "/dev/mmcblk0boot1"]);
        assert_eq!(found.secure_os, "bootloader/tos.img");
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
        assert!(super::read(dir.path(), "other", "x").unwrap_err().message.contains("cannot read it"));
    }
}
