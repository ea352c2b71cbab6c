//! A root filesystem is made, and somebody else looks on, or kills it.
//!
//! The test runs itself once more as the build, with a program in mmdebstrap's place that makes and mounts what mmdebstrap does,
//! and then waits.

use carveout_host::ui::{Ui, Verbosity};
use carveout_rootfs::mmdebstrap;
use carveout_rootfs::mmdebstrap::{Archives, HookFiles};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use stage_cache::{Cache, Key};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FOLDER: &str = "CARVEOUT_TEST_ROOTFS";
const USER: u32 = 1234;
const OTHER: &str = "4321";
const MMDEBSTRAP: &str = r#"#!/bin/bash
set -eu
root=$(mktemp -d -p "${TMPDIR:-/tmp}")
chmod 755 "$root"
mkdir "$root/proc" "$root/sys" "$root/dev" "$root/private"
touch "$root/private/file" "$root/dev/null"
chown 7:7 "$root/private/file" "$root/private" || true
chmod 700 "$root/private"
mounts=$(readlink /proc/self/ns/mnt)
# In the namespace of this host it mounts nothing: what a failing test left there would be this host's own /proc and /sys.
if [ "$mounts" != "$(cat "$CARVEOUT_TEST_ROOTFS/mounts")" ]; then
  mounts=own
  mount --rbind /proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --bind /dev/null "$root/dev/null"
fi
hook=$(printf '%s\n' "$@" | sed -n "s,^--setup-hook=bash '\(.*\)/configure.sh'.*,\1,p")
if [ -e "$CARVEOUT_TEST_ROOTFS/hang" ]; then
  printf '%s\n' "$root" "$hook" "$mounts" > "$CARVEOUT_TEST_ROOTFS/new"
  mv "$CARVEOUT_TEST_ROOTFS/new" "$CARVEOUT_TEST_ROOTFS/ready"
  sleep 300
fi
exit 1
"#;

/// What the test runs itself for.
fn is_the_build() -> bool {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return false };
    let deb = folder.join("a_1_arm64.deb");
    let mounts = fs::read_link("/proc/self/ns/mnt").unwrap();
    fs::write(folder.join("mounts"), mounts.to_str().unwrap()).unwrap();
    let ui = Ui::new(Verbosity::Quiet);
    let made = Cache::new(&folder.join("target"), &ui).stage("rootfs base", Key::default(), |work| {
        let parts = HookFiles::default().with_debs(std::slice::from_ref(&deb));
        let out = work.out.join("base.tar");
        mmdebstrap::base("no-suite", &[], &Archives::default(), Some(&parts), 1, &out, work)
    });
    assert!(made.is_err());
    true
}

/// Those that this host lets build. A user needs a program that is not everywhere.
fn builders() -> Vec<Who> {
    let mut all = vec![Who::Root, Who::BoundRoot];
    if carveout_host::tools::find("newuidmap").is_some() {
        all.push(Who::User);
    } else {
        eprintln!("not tried as a user: newuidmap is not installed (package uidmap)");
    }
    all
}

/// Who builds, and what he may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Root,
    /// Who may not mount, as in most containers.
    BoundRoot,
    /// With subordinate ids.
    User,
}

struct Stage {
    who: Who,
    dir: tempfile::TempDir,
}

impl Stage {
    fn new(who: Who) -> Self {
        let stage = Self { who, dir: tempfile::tempdir().unwrap() };
        fs::set_permissions(stage.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["bin", "temporary", "target"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        let program = stage.path("bin/mmdebstrap");
        fs::write(&program, MMDEBSTRAP).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(stage.path("a_1_arm64.deb"), "a package").unwrap();
        // Where others reach it.
        fs::copy(std::env::current_exe().unwrap(), stage.path("test")).unwrap();
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        fs::write(stage.path("passwd"), format!("{passwd}builder:x:{USER}:{USER}::/:/bin/sh\n")).unwrap();
        fs::write(stage.path("sub"), "builder:200000:65536\n").unwrap();
        if who == Who::User {
            for folder in ["", "temporary", "target"] {
                chown(stage.path(folder), Some(USER), Some(USER)).unwrap();
            }
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The build, in a process group of its own.
    fn start(&self, test: &str) -> Child {
        let mut command = Command::new(if self.who == Who::User { "unshare" } else { "env" });
        match self.who {
            Who::Root => {}
            Who::BoundRoot => drop(command.args(["setpriv", "--bounding-set=-sys_admin"])),
            Who::User => {
                let script = "cd \"$1\"; shift
                    mount --bind passwd /etc/passwd; mount --bind sub /etc/subuid; mount --bind sub /etc/subgid
                    exec setpriv --reuid=1234 --regid=1234 --clear-groups \"$@\"";
                command.args(["--mount", "sh", "-euc", script, "sh"]).arg(self.dir.path());
            }
        }
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.arg(self.path("test")).args(["--exact", test]);
        command.env(FOLDER, self.dir.path()).env("PATH", path).env("TMPDIR", self.path("temporary"));
        command.current_dir(self.dir.path()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// Waits until mmdebstrap has made its root: where that is, where our scripts lie, and whether its mounts are its own.
    fn ready(&self) -> (PathBuf, PathBuf, bool) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Ok(text) = fs::read_to_string(self.path("ready")) {
                let lines: Vec<&str> = text.lines().collect();
                return (lines[0].into(), lines[1].into(), lines[2] == "own");
            }
            sleep(Duration::from_millis(20));
        }
        panic!("{:?}: mmdebstrap was not started", self.who);
    }

    /// What is there of unfinished results.
    fn unfinished(&self) -> usize {
        let entries = fs::read_dir(self.path("target/stages/rootfs-base")).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".new-")).count()
    }

    fn mounted(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let folder = self.dir.path().to_str().unwrap().to_owned();
        table.lines().filter(|line| line.contains(&folder)).map(str::to_owned).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        end(self.dir.path());
    }
}

fn kill(build: &mut Child, folder: &Path) {
    build.kill().unwrap();
    build.wait().unwrap();
    end(folder);
}

/// Ends what a killed build has started: with SIGKILL, so that it cleans nothing up.
fn end(folder: &Path) {
    let mark = format!("{FOLDER}={}", folder.display());
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        if let Some(id) = id.filter(|_| environment.split(|byte| *byte == 0).any(|v| v == mark.as_bytes())) {
            let _ = kill_process_group(id, Signal::KILL);
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

#[test]
fn a_killed_build_leaves_nothing_elsewhere_and_the_next_one_removes_the_rest() {
    if is_the_build() {
        return;
    }
    let test = "hostile::rootfs::a_killed_build_leaves_nothing_elsewhere_and_the_next_one_removes_the_rest";
    for who in builders() {
        let stage = Stage::new(who);
        for _ in 0..3 {
            fs::write(stage.path("hang"), "").unwrap();
            let mut build = stage.start(test);
            let (root, scripts, own_mounts) = stage.ready();
            let home = stage.path("target/stages/rootfs-base");
            let owner = fs::metadata(root.join("private/file")).unwrap().uid();
            kill(&mut build, stage.dir.path());
            assert!(root.starts_with(&home) && scripts.starts_with(&home), "{who:?}: {root:?} {scripts:?}");
            assert_eq!(owner, if who == Who::User { 200_006 } else { 7 }, "{who:?}");
            assert_eq!(own_mounts, who != Who::BoundRoot, "{who:?}");
            assert_eq!(stage.mounted(), [""; 0], "{who:?}");
            assert_eq!(fs::read_dir(stage.path("temporary")).unwrap().count(), 0, "{who:?}");
            assert!(stage.unfinished() > 0);
            for name in ["hang", "ready"] {
                fs::remove_file(stage.path(name)).unwrap();
            }
        }
        // It fails, and leaves nothing that it has swept up or made itself but the last root, which is another user's.
        assert!(stage.start(test).wait().unwrap().success(), "{who:?}");
        let left = usize::from(who == Who::User);
        assert!(stage.unfinished() <= left, "{who:?}: {}", stage.unfinished());
    }
}

#[test]
fn nobody_else_writes_where_a_root_filesystem_is_made() {
    if is_the_build() {
        return;
    }
    let test = "hostile::rootfs::nobody_else_writes_where_a_root_filesystem_is_made";
    for who in builders() {
        let stage = Stage::new(who);
        fs::write(stage.path("hang"), "").unwrap();
        let mut build = stage.start(test);
        let (root, scripts, _) = stage.ready();
        let metadata = fs::metadata(&scripts).unwrap();
        let ours = fs::read_to_string(scripts.join("debs/a_1_arm64.deb")).unwrap();
        let other = format!(
            "! ls {0} && ! touch {0}/x && ! touch {0}/debs/x_1.deb && ! mv {0}/debs {0}/other && ! touch {1}/x && ! touch {1}/dev/x",
            scripts.display(),
            root.display()
        );
        let ids = [format!("--reuid={OTHER}"), format!("--regid={OTHER}")];
        let mut tries = Command::new("setpriv");
        tries.args(ids).args(["--clear-groups", "bash", "-c", &other]);
        let ran = tries.stderr(Stdio::null()).status().unwrap();
        let debs = fs::read_dir(scripts.join("debs")).unwrap().count();
        kill(&mut build, stage.dir.path());
        assert!(ran.success(), "{who:?}: another user can write there");
        assert_eq!((ours.as_str(), debs), ("a package", 1));
        assert_eq!(metadata.mode() & 0o7777, 0o711, "{who:?}");
        assert_eq!(metadata.uid(), if who == Who::User { USER } else { 0 });
    }
}
