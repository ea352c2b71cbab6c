//! NVIDIA's flash scripts, offline: signed boot files and the flash package of `nvmassflashgen.sh`.
//!
//! They run in a private copy of the BSP, without network, in an environment of ours. Three things make their output the same
//! each time: our `date`, addresses that are not random (`setarch -R`: `tegraparser_v2` writes pointers into
//! `flash.xml.bin`), and partition GUIDs given in the layout. Their exit codes are not believed: the outputs tell.

use crate::board_conf::BoardConf;
use crate::copy;
use crate::errors::ToolError;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::packages::{Need, is_root};
use carveout_host::process;
use carveout_host::tools::{run, shell};
use carveout_product::Module;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use trusty_image::Soc;
use xshell::cmd;

/// What NVIDIA's scripts call.
pub const NEEDS: [Need; 5] = [
    Need { program: "python3", package: "python3", why: "runs NVIDIA's tegraflash.py" },
    Need { program: "perl", package: "perl", why: "runs NVIDIA's boot-config overlay" },
    Need { program: "xmllint", package: "libxml2-utils", why: "NVIDIA's flash.sh reads layouts with it" },
    Need { program: "uuidgen", package: "uuid-runtime", why: "NVIDIA's flash.sh asks for it" },
    Need { program: "setarch", package: "util-linux", why: "runs NVIDIA's tools without random addresses" },
];

/// Programs of ours that go before the system's on PATH.
const SHIMS: [(&str, &str); 3] = [
    // Whatever asks for the time gets a fixed one; dates that are given stay.
    (
        "date",
        "#!/bin/sh\ncase \" $* \" in *' -d '*) exec /usr/bin/env PATH=\"$SYSTEM_PATH\" date \"$@\" ;; esac\n\
         exec /usr/bin/env PATH=\"$SYSTEM_PATH\" date -u -d \"@$SOURCE_DATE_EPOCH\" \"$@\"\n",
    ),
    // NVIDIA's signing script asks for `python`, which Debian calls python3.
    ("python", "#!/bin/sh\nexec python3 \"$@\"\n"),
    // The package is taken as a folder: compressing it as well would take longer than all the rest.
    ("bzip2", "#!/bin/sh\nexec cat > /dev/null\n"),
];
/// In place of `tegrarcm_v2` where there is no board: it believes in one that boots.
const NO_BOARD: &str = "#!/bin/sh\ncase \" $* \" in\n\
    *' --listrcm '* | *' --updatesig '*) exec \"$0.real\" \"$@\" ;;\n\
    *' --ismb2 '*) [ -e \"$0.booted\" ] || exit 8 ;;\n\
    *' --isapplet '*) [ ! -e \"$0.booted\" ] || exit 8 ;;\n\
    *' --boot '*) : > \"$0.booted\" ;;\n\
    *' --oem '*) for last; do :; done; : > \"$last\" ;;\n\
    esac\nexit 0\n";
/// Names the RCM messages.
pub const RCM_LIST: &str = "rcm_list_signed.xml";
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What takes part of the BSP.
const PARTS: [&str; 3] = ["bootloader/", "kernel/", "nv_tegra/bsp_version"];

/// A private copy of the BSP to run NVIDIA's scripts in.
pub struct Run<'a> {
    /// The copy.
    pub dir: &'a Path,
    /// Time that outputs bear, in seconds since 1970.
    pub epoch: u64,
    /// Name of the board for NVIDIA's scripts.
    pub board: &'a str,
    /// What its board file says.
    pub conf: &'a BoardConf,
    /// Its SoC.
    pub soc: Soc,
    /// Its root device, likewise.
    pub root_device: &'a str,
    /// Bytes of the partition APP.
    pub app_size: u64,
}

/// Keys for fused boards, used where they lie.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// Signs (PKC).
    pub pkc: Option<&'a Path>,
    /// Encrypts (SBK).
    pub sbk: Option<&'a Path>,
}

/// A line of NVIDIA's signing functions that finds the kernel's partition twice, so that nothing is signed with an SBK and the
/// script still ends with success (L4T R32.7.2); and what it means.
const ODMSIGN: (&str, &str, &str) =
    ("bootloader/odmsign.func", "sed -n \"/\\\"${part}\\\"/=\"", "sed -n \"/name=\\\"${part}\\\"/=\"");

/// Copies what the scripts need of a BSP, and mends in the copy what is wrong with them.
pub fn copy_bsp(bsp: &Path, to: &Path) -> Result<()> {
    copy::tree(bsp, to, &|path| {
        let top = !path.contains('/') && (path.ends_with(".sh") || path.contains(".conf"));
        let part = PARTS.iter().any(|part| path.starts_with(part) || part.starts_with(path));
        top || (part && !path.ends_with(".deb") && !path.ends_with(".tbz2"))
    })?;
    let (file, old, new) = ODMSIGN;
    let path = to.join(file);
    match fs::read(&path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).replace(old, new);
            fs::write(&path, text).at(&path)
        }
        // Only boards with keys need it.
        Err(_) => Ok(()),
    }
}

impl Run<'_> {
    /// `nvmassflashgen.sh` for a module. Returns the folder of the package.
    pub fn mass_flash(&self, module: &Module, keys: Keys, log: &Path) -> Result<PathBuf> {
        let path = |key: Option<&Path>| key.map(|key| key.display().to_string());
        let mut options = vec!["-r".to_owned(), "-S".into(), self.app_size.to_string()];
        for (option, key) in [("-u", path(keys.pkc)), ("-v", path(keys.sbk))] {
            options.extend(key.into_iter().flat_map(|key| [option.to_owned(), key]));
        }
        let suffix = match keys {
            Keys { pkc: None, .. } => "",
            Keys { sbk: None, .. } => "_signed",
            _ => "_encrypt_signed",
        };
        let folder = self.dir.join(format!("bootloader/mfi_{}{suffix}", self.board));
        let result = self.script("nvmassflashgen.sh", &options, module, log);
        finished(result, &folder, "nvaflash.sh", log)?;
        Ok(folder)
    }

    /// The boot config alone, signed with no key: `bootloader/signed`.
    pub fn sign(&self, module: &Module, log: &Path) -> Result<PathBuf> {
        // The boot config knows where partitions behind APP begin.
        let size = self.app_size.to_string();
        let options = ["--no-flash", "-r", "-S", &size, "--sign"].map(String::from);
        let folder = self.dir.join("bootloader/signed");
        let result = self.script("flash.sh", &options, module, log);
        finished(result, &folder, "flash.idx", log)?;
        Ok(folder)
    }

    /// What reads a module's EEPROM: RCM messages and a small boot loader, signed. NVIDIA's tegraflash.py makes them on the way
    /// to a board, so it gets a `tegrarcm_v2` that does what needs no board and says yes to all else.
    pub fn identify(&self, keys: Keys, log: &Path) -> Result<PathBuf> {
        let bootloader = self.dir.join("bootloader");
        let tool = bootloader.join("tegrarcm_v2");
        let real = replace(&tool, NO_BOARD)?;
        // What flash.sh asks of tegraflash.py to read a module's EEPROM (`get_board_version`, L4T R32.7).
        let conf = self.conf;
        let [mb1, applet, soft_fuses] = [&conf.mb1, &conf.applet, &conf.soft_fuses].map(|path| name_of(path));
        let mut options: Vec<String> =
            ["--chip", &conf.chip, "--applet", mb1, "--skipuid", "--soft_fuses", soft_fuses]
                .into_iter()
                .map(str::to_owned)
                .collect();
        options.extend(["--bins".to_owned(), format!("mb2_applet {applet}")]);
        options
            .extend(["--cmd", "dump eeprom boardinfo cvm.bin; reboot recovery", "--keep"].map(str::to_owned));
        for (option, key) in [("--key", keys.pkc), ("--encrypt_key", keys.sbk)] {
            options.extend(key.into_iter().flat_map(|key| [option.to_owned(), key.display().to_string()]));
        }
        let (from, to) = (self.dir.join(&conf.soft_fuses), bootloader.join(soft_fuses));
        fs::copy(&from, &to).at(&from)?;
        let known = folders(&bootloader)?;
        let result = self.run(
            "NVIDIA's tegraflash.py",
            &bootloader,
            &["python3", "tegraflash.py"],
            &options,
            &[],
            log,
        );
        fs::rename(&real, &tool).at(&tool)?;
        // It works in a folder that is named by its process.
        let new = folders(&bootloader)?.into_iter().find(|folder| !known.contains(folder));
        let folder = new.unwrap_or_else(|| bootloader.join("none"));
        finished(result, &folder, RCM_LIST, log)?;
        Ok(folder)
    }

    fn script(&self, script: &str, options: &[String], module: &Module, log: &Path) -> Result<()> {
        let id = &module.id;
        let environment = [
            format!("BOARDID={}", id.board),
            format!("FAB={}", id.fab),
            format!("BOARDSKU={}", id.sku),
            format!("BOARDREV={}", id.revision),
            "FUSELEVEL=fuselevel_production".into(),
            format!("CHIPREV={}", self.soc.revision()),
            // The image for over-the-air updates needs NVIDIA's OTA tools and is written by no scope of ours.
            "NO_RECOVERY_IMG=1".into(),
        ];
        let mut options = options.to_vec();
        options.extend([self.board.to_owned(), self.root_device.to_owned()]);
        let program = self.dir.join(script).display().to_string();
        self.run(&format!("NVIDIA's {script}"), self.dir, &["bash", &program], &options, &environment, log)
    }

    fn run(
        &self,
        what: &str,
        dir: &Path,
        program: &[&str],
        options: &[String],
        more: &[String],
        log: &Path,
    ) -> Result<()> {
        let shims = self.dir.join(".carveout-bin");
        fs::create_dir_all(&shims).at(&shims)?;
        for (name, text) in SHIMS {
            write_program(&shims.join(name), text)?;
        }
        let (sh, shims) = (shell(dir)?, shims.display());
        let environment = [
            format!("PATH={shims}:{SYSTEM_PATH}"),
            format!("SYSTEM_PATH={SYSTEM_PATH}"),
            format!("SOURCE_DATE_EPOCH={}", self.epoch),
            format!("HOME={}", self.dir.display()),
            "USER=root".into(),
            "LC_ALL=C".into(),
            "TZ=UTC".into(),
            "PYTHONDONTWRITEBYTECODE=1".into(),
        ];
        let namespace = isolation();
        let cmd =
            cmd!(sh, "env -i {environment...} {more...} {namespace...} setarch -R {program...} {options...}");
        run(what, cmd, log)
    }
}

/// The name of a file.
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Puts a program of ours in the place of one of NVIDIA's, which gets the name that ours calls it by.
pub fn replace(tool: &Path, text: &str) -> Result<PathBuf> {
    let mut real = tool.as_os_str().to_owned();
    real.push(".real");
    fs::rename(tool, &real).at(tool)?;
    write_program(tool, text)?;
    Ok(real.into())
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).at(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).at(path)
}

/// Folders in a folder, sorted.
fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(files::list(dir)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// No network for NVIDIA's scripts, where the kernel lets us; they need none.
fn isolation() -> Vec<&'static str> {
    let ways: [&[&str]; 2] = if is_root() {
        [&["unshare", "--net"], &[]]
    } else {
        [&["unshare", "--map-root-user", "--net"], &[]]
    };
    let works = |way: &&[&str]| {
        let Ok(sh) = shell(Path::new("/")) else { return false };
        match way {
            [program, options @ ..] => process::succeeds(cmd!(sh, "{program} {options...} true")),
            [] => true,
        }
    };
    ways.into_iter().find(works).unwrap_or_default().to_vec()
}

/// Judges by the outputs: NVIDIA's scripts have ended with 0 after a failure, and the other way round.
fn finished(result: Result<()>, folder: &Path, file: &str, log: &Path) -> Result<()> {
    if folder.join(file).is_file() {
        return result;
    }
    let text = fs::read(log).at(log)?;
    let text = String::from_utf8_lossy(&text);
    if text.contains("Exec format error") || text.contains("cannot execute binary file") {
        return Err(ToolError::NotX86.into());
    }
    let how = if result.is_ok() { "ended with success" } else { "failed" };
    let made = folder.join(file);
    let made = made.strip_prefix(folder.parent().unwrap_or(folder)).unwrap_or(&made).into();
    let says = first_error(&text).unwrap_or_else(|| "    no line of their log tells of an error".into());
    Err(ToolError::NothingMade { how, made, says, log: log.into() }.into())
}

/// The first line of a log that tells of a failure, with the lines that lead to it: the cause stands above it.
fn first_error(log: &str) -> Option<String> {
    const SIGNS: [&str; 7] =
        ["Error", "ERROR", "error:", "Traceback", "command not found", "No such file", "does not exist"];
    // Said in runs that succeed, too.
    const HARMLESS: [&str; 2] = ["File read failed", "No such file or directory: 'None'"];
    const BEFORE: usize = 3;
    const BEHIND: usize = 1;
    // The log may be of several runs: a line for each begins with `$`.
    let run = log.rsplit("\n$ ").next().unwrap_or(log);
    let lines = run.lines().map(|line| match line.split_once(" ] ") {
        Some((stamp, rest)) if stamp.starts_with("[ ") => rest,
        _ => line.trim_end_matches(" ]"),
    });
    let harmless = |line: &&str| HARMLESS.iter().any(|words| line.contains(words));
    let is_stamp = |line: &&str| line.starts_with("[ ") && line.ends_with(|c: char| c.is_ascii_digit());
    let lines: Vec<&str> =
        lines.map(str::trim).filter(|line| !line.is_empty() && !is_stamp(line) && !harmless(line)).collect();
    let at = lines.iter().position(|line| SIGNS.iter().any(|sign| line.contains(sign)))?;
    let shown = lines.get(at.saturating_sub(BEFORE)..lines.len().min(at + 1 + BEHIND))?;
    Some(shown.iter().map(|line| format!("    {}", line.escape_debug())).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_stands_above_the_last_error() {
        let log = "$ old\nError: of another run\n$ env nvmassflashgen.sh\n[   1.5412 ] File read failed\n[   3.1560 ] \n\
                   [   3.1577 ] tegraparser_v2 --generategpt --pt flash.xml.bin\n\
                   [   3.1580 ] End sector for BMP, expected at: 61079518, actual: 61142439\n[   3.1625 ]\n\
                   Error: Return value 4\nCommand tegraparser_v2 --generategpt --pt flash.xml.bin\nmore\n";
        assert_eq!(
            first_error(log).unwrap(),
            "    env nvmassflashgen.sh\n    tegraparser_v2 --generategpt --pt flash.xml.bin\n    \
             End sector for BMP, expected at: 61079518, actual: 61142439\n    Error: Return value 4\n    \
             Command tegraparser_v2 --generategpt --pt flash.xml.bin"
        );
        assert_eq!(first_error("File read failed\nall is well\n"), None);
        assert_eq!(first_error(""), None);
    }
}
