//! The kernel build: NVIDIA's Trusty sources, make, and the host's cross compilers.

use crate::errors::ToolError;
use carveout_host::error::{At, Error, Result};
use carveout_host::packages::Need;
use carveout_host::tools::{run, shell};
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::Soc;
use xshell::cmd;

/// What it calls.
pub const NEEDS: [Need; 3] = [
    Need { program: "make", package: "make", why: "builds NVIDIA's Trusty kernel" },
    Need {
        program: "aarch64-linux-gnu-gcc",
        package: "gcc-aarch64-linux-gnu",
        why: "compiles the Trusty kernel and the monitor",
    },
    Need {
        program: "arm-none-eabi-gcc",
        package: "gcc-arm-none-eabi",
        why: "compiles NVIDIA's own trusted apps",
    },
];
const KERNEL_PREFIX: &str = "aarch64-linux-gnu-";
const APP_PREFIX: &str = "arm-none-eabi-";
/// Results that are made anew each time: make does not see that a list of trusted apps has changed.
const RELINKED: [&str; 5] = ["user_tasks.bin", "user_tasks.o", "lk.elf", "lk.bin", "lk.elf.hex"];

/// Versions of the compilers: they shape the kernel.
pub fn versions() -> Result<Vec<(String, String)>> {
    let mut versions = Vec::new();
    for (tool, option) in [("gcc", "--version"), ("ld", "--version")] {
        for prefix in [KERNEL_PREFIX, APP_PREFIX] {
            let program = format!("{prefix}{tool}");
            let text = carveout_host::tools::rust::ask(Path::new(&program), None, &[option])
                .map_err(|error| ToolError::NoCompiler { source: error.message.into() })?;
            versions.push((program, text.lines().next().unwrap_or_default().to_owned()));
        }
    }
    Ok(versions)
}

/// Writes an ELF file's symbols without its debug information, in which there are paths of this host.
pub fn symbols(elf: &Path, to: &Path, log: &Path) -> Result<()> {
    let sh = shell(Path::new("/"))?;
    let objcopy = format!("{KERNEL_PREFIX}objcopy");
    run("taking the kernel's symbols", cmd!(sh, "{objcopy} --strip-debug {elf} {to}"), log)
}

/// What NVIDIA's makefiles are told of each build.
pub fn constants(soc: Soc, epoch: u64) -> Vec<String> {
    vec![
        "PROJECT=t186".to_owned(),
        "TARGET=t186".into(),
        format!("TARGET_SOC={}", soc.word()),
        format!("TOOLCHAIN_PREFIX={KERNEL_PREFIX}"),
        format!("ARCH_arm64_TOOLCHAIN_PREFIX={KERNEL_PREFIX}"),
        format!("ARCH_arm_TOOLCHAIN_PREFIX={APP_PREFIX}"),
        "DEBUG=0".into(),
        "DEBUG_LVL=0".into(),
        "DEFAULT_OTE_APP_DEBUGLEVEL=1".into(),
        "NOECHO=@".into(),
        "TRUSTY_VARIANT=l4t-public".into(),
        "TRUSTY_MULTI_GUEST_CONFIGURATION=".into(),
        format!("BUILDTIMESTAMP={epoch}"),
    ]
}

/// A kernel build.
pub struct Kernel<'a> {
    /// NVIDIA's sources.
    pub sources: &'a Path,
    /// Intermediate files, kept from build to build.
    pub work: &'a Path,
    /// The SoC.
    pub soc: Soc,
    /// Finished trusted apps, in the image's order; they come before NVIDIA's.
    pub apps: &'a [PathBuf],
    /// NVIDIA's own trusted apps to keep, by folder; all without it.
    pub stock: Option<&'a [String]>,
    /// Seconds since 1970 that the kernel takes for its build time.
    pub epoch: u64,
}

impl Kernel<'_> {
    /// Builds `lk.bin` and returns its path.
    pub fn run(&self, log: &Path) -> Result<PathBuf> {
        let out = self.work.join("build-t186");
        for name in RELINKED {
            let path = out.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path, &error));
                }
                _ => {}
            }
        }
        let sh = shell(self.sources)?;
        // The makefiles stumble over blanks and other characters in absolute paths: all of ours are relative.
        let (work, folder) = (relative(self.sources, self.work)?, self.work.join("apps"));
        fs::create_dir_all(&folder).at(&folder)?;
        let mut apps = Vec::new();
        for (index, from) in self.apps.iter().enumerate() {
            let to = folder.join(format!("{index}.elf"));
            fs::copy(from, &to).at(from)?;
            apps.push(format!("{work}/apps/{index}.elf"));
        }
        let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        let mut variables = constants(self.soc, self.epoch);
        variables
            .extend([format!("BUILDROOT={work}"), format!("TRUSTY_PREBUILT_USER_TASKS={}", apps.join(" "))]);
        variables.extend(self.stock.map(|stock| format!("TRUSTY_ALL_USER_TASKS={}", stock.join(" "))));
        let path = format!("PATH={}", std::env::var("PATH").unwrap_or_default());
        let cmd = cmd!(sh, "env -i {path} LC_ALL=C make -j{jobs} t186 {variables...}");
        run("building the Trusty kernel", cmd, log)?;
        let lk = out.join("lk.bin");
        lk.metadata().at(&lk)?;
        Ok(lk)
    }
}

/// The way from one folder to another, both below a common one.
fn relative(from: &Path, to: &Path) -> Result<String> {
    let common = from.ancestors().find(|dir| to.starts_with(dir) && dir.parent().is_some());
    let Some(common) = common else {
        return Err(ToolError::NoCommonFolder { from: from.into(), to: to.into() }.into());
    };
    let rest = |path: &Path| path.strip_prefix(common).map(Path::to_owned).unwrap_or_default();
    let up = rest(from).components().map(|_| "..").collect::<PathBuf>();
    Ok(up.join(rest(to)).display().to_string())
}

/// Builds the monitor (ATF) and returns the path of `bl31.bin`.
pub fn monitor(sources: &Path, soc: Soc, work: &Path, epoch: u64, log: &Path) -> Result<PathBuf> {
    let sh = shell(sources)?;
    let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
    let path = format!("PATH={}", std::env::var("PATH").unwrap_or_default());
    let variables = [
        format!("BUILD_BASE={}", work.display()),
        format!("CROSS_COMPILE={KERNEL_PREFIX}"),
        "DEBUG=0".into(),
        "LOG_LEVEL=20".into(),
        "PLAT=tegra".into(),
        "SPD=trusty".into(),
        format!("TARGET_SOC={}", soc.word()),
        "V=0".into(),
        // C strings; without one, git would be asked for what is around the tree.
        "BUILD_STRING=l4t".into(),
        format!("BUILD_MESSAGE_TIMESTAMP=\"{epoch}\""),
    ];
    run("building the monitor", cmd!(sh, "env -i {path} LC_ALL=C make -j{jobs} bl31 {variables...}"), log)?;
    let found = work.join(format!("tegra/{}/release/bl31.bin", soc.word()));
    found.metadata().at(&found)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_relative() {
        let way =
            |from: &str, to: &str| relative(Path::new(from), Path::new(to)).map_err(|error| error.message);
        assert_eq!(way("/a/b c/stages/s/trusty", "/a/b c/lk/1"), Ok("../../../lk/1".into()));
        assert_eq!(way("/a/b", "/a/b/c"), Ok("c".into()));
        assert_eq!(way("/a/b", "/c/d"), Err("/a/b and /c/d share no folder".into()));
    }
}
