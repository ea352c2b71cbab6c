//! A trusted app in C: NVIDIA's makefiles build it by its rules.mk, within a private tree that looks like NVIDIA's sources.

use crate::copy;
use crate::errors::ToolError;
use crate::trusty::constants;
use carveout_host::error::{At, Error, Exit, Result};
use carveout_host::files;
use carveout_host::tools::{run, scratch, shell};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use trusty_image::Soc;
use xshell::cmd;

/// Where NVIDIA's own trusted apps lie in the sources.
const APPS: &str = "app";
/// What stands before the compiler: debug information names no folder of this host.
const REMAP: &str = "#!/bin/sh\nexec \"$@\" -ffile-prefix-map=\"$PWD\"=. -Wa,--debug-prefix-map=\"$PWD\"=.\n";
/// Its name in the tree.
const REMAP_NAME: &str = "carveout-remap.sh";

/// Where debug information says that an app's sources are.
pub fn place(name: &str) -> String {
    format!("{APPS}/{name}")
}

/// A trusted app in C.
pub struct CApp<'a> {
    /// NVIDIA's sources.
    pub sources: &'a Path,
    /// The app's own folder, with its rules.mk.
    pub folder: &'a Path,
    /// Its name.
    pub name: &'a str,
    /// The SoC.
    pub soc: Soc,
    /// Seconds since 1970 that NVIDIA's makefiles take for the build time.
    pub epoch: u64,
}

impl CApp<'_> {
    /// Builds the app and writes the ELF file, with its symbols and debug information, to a path.
    pub fn run(&self, to: &Path, log: &Path) -> Result<()> {
        let Self { name, .. } = self;
        let scratch = scratch("c-app")?;
        let tree = scratch.path();
        self.lay_out(tree)?;
        let sh = shell(tree)?;
        let jobs = std::thread::available_parallelism().map_or(1, usize::from).to_string();
        let built = format!("build/build-t186/user_tasks/{APPS}/{name}/{name}.syms.elf");
        let mut variables = constants(self.soc, self.epoch);
        variables.extend([
            "BUILDROOT=build".into(),
            format!("CCACHE=./{REMAP_NAME}"),
            format!("TRUSTY_ALL_USER_TASKS={}", place(name)),
        ]);
        let path = format!("PATH={}", std::env::var("PATH").unwrap_or_default());
        let cmd = cmd!(sh, "env -i {path} LC_ALL=C make -j{jobs} {variables...} {built}");
        run(&format!("building the trusted app {name}"), cmd, log)
            .map_err(|error| self.with_first_error(error, log))?;
        fs::copy(tree.join(&built), to).at(to).map(drop)
    }

    /// NVIDIA's sources, by links, and among NVIDIA's apps a copy of this one.
    fn lay_out(&self, tree: &Path) -> Result<()> {
        let apps = tree.join(APPS);
        fs::create_dir(&apps).at(&apps)?;
        for (from, to) in [(self.sources.to_owned(), tree), (self.sources.join(APPS), &apps)] {
            for entry in files::list(&from)? {
                let name = entry.file_name().unwrap_or_default();
                if name != APPS {
                    let to = to.join(name);
                    symlink(&entry, &to).at(&to)?;
                }
            }
        }
        let own = apps.join(self.name);
        if own.exists() {
            return Err(ToolError::NameOfNvidia { name: self.name.into() }.into());
        }
        copy::tree(self.folder, &own, &|path| !path.starts_with(".git/"))?;
        let remap = tree.join(REMAP_NAME);
        fs::write(&remap, REMAP).at(&remap)?;
        fs::set_permissions(&remap, fs::Permissions::from_mode(0o755)).at(&remap)
    }

    /// What the compiler or make complained of first, with the file as the user knows it.
    fn with_first_error(&self, error: Error, log: &Path) -> Error {
        if error.exit == Exit::Interrupted {
            return error;
        }
        let text =
            fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let Some(first) = first_error(text.rsplit("\n$ ").next().unwrap_or_default()) else { return error };
        let here = format!("{}/", place(self.name));
        let first = first.replace(&here, &format!("{}/", self.folder.display()));
        ToolError::NotCompiled { name: self.name.into(), first, log: log.into() }.into()
    }
}

/// The first error of a compiler, of the linker or of make.
fn first_error(said: &str) -> Option<&str> {
    const MARKS: [&str; 6] = [
        ": error: ",
        ": fatal error: ",
        ": undefined reference to ",
        ": *** ",
        "No such file or directory",
        "No rule to make",
    ];
    // Make tells what a failed command of its own leads to.
    let follows = |line: &str| line.contains("] Error ");
    said.lines().map(str::trim).find(|line| !follows(line) && MARKS.iter().any(|mark| line.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::first_error;

    #[test]
    fn the_first_error_is_the_compilers() {
        let said = "compiling app/my-srv/main.c\napp/my-srv/main.c: In function 'main':\n\
                    app/my-srv/main.c:7:2: error: unknown type name 'foo'\n    7 |  foo bar;\n\
                    make[1]: *** [make/compile.mk:30: build/x.o] Error 1\nmake: *** [makefile:28: x] Error 2\n";
        assert_eq!(first_error(said), Some("app/my-srv/main.c:7:2: error: unknown type name 'foo'"));
        let missing = "app/my-srv/rules.mk:9: make/modul.mk: No such file or directory\nmake: *** No rule\n";
        assert_eq!(
            first_error(missing),
            Some("app/my-srv/rules.mk:9: make/modul.mk: No such file or directory")
        );
        assert_eq!(first_error("compiling\nlinking\n"), None);
    }
}
