//! e2fsprogs: an ext4 image from a tar file, the same bytes on every host.
//!
//! mke2fs 1.47.0 sorts what it copies, but takes access and change times from the build host: they are set afterwards,
//! with debugfs, in every used inode. mke2fs.conf of the host does not count.

use super::{capture, run, shell};
use crate::error::{At, Error, Result};
use crate::host::is_root;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use xshell::{Shell, cmd};

const POPULATE: &str = include_str!("populate.sh");
/// Identities of the filesystem: any fixed ones serve.
const UUID: &str = "6f3b1c1e-0c5a-4b52-9d5e-2b7c7a5f0001";
const HASH_SEED: &str = "6f3b1c1e-0c5a-4b52-9d5e-2b7c7a5f0002";
const FEATURES: &str = "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
                        large_file,huge_file,dir_nlink,extra_isize,metadata_csum";
/// The first inode that is not the filesystem's own, and the root directory.
const FIRST_INODE: u32 = 11;
const ROOT_INODE: u32 = 2;

/// What mke2fs says of itself. It goes into the key: versions may differ in their output.
pub fn version() -> Result<String> {
    let sh = shell(Path::new("/"))?;
    let text = cmd!(sh, "mke2fs -V").quiet().read_stderr();
    let text = text.map_err(|e| Error::environment(format!("mke2fs: {e}")))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A digest of how images are made: a change of it makes them anew.
pub fn recipe() -> String {
    bundle::sha256([POPULATE, UUID, HASH_SEED, FEATURES].concat().as_bytes())
}

/// Makes an image of `size` bytes. Holes stay holes.
pub fn image(tar: &Path, size: u64, epoch: u64, out: &Path, log: &Path) -> Result<()> {
    let scratch = super::scratch("ext4")?;
    let (scratch_path, conf) = (scratch.path(), scratch.path().join("mke2fs.conf"));
    let mut text = "[defaults]\n\tbase_features = none\n[fs_types]\n".to_owned();
    for kind in ["ext4", "small", "floppy", "big", "huge"] {
        let _ = writeln!(text, "\t{kind} = {{\n\t\tinode_size = 256\n\t}}");
    }
    fs::write(&conf, text).at(&conf)?;
    let script = scratch_path.join("populate.sh");
    fs::write(&script, POPULATE).at(&script)?;
    fs::File::create(out).and_then(|file| file.set_len(size)).at(out)?;
    let sh = shell(Path::new("/"))?;
    for (name, value) in [("SOURCE_DATE_EPOCH", epoch), ("E2FSPROGS_FAKE_TIME", epoch)] {
        sh.set_var(name, value.to_string());
    }
    sh.set_var("MKE2FS_CONFIG", &conf);
    // A user gets the owners of files right only in a namespace where he seems to be root.
    let (program, namespace): (&str, &[&str]) =
        if is_root() { ("bash", &[]) } else { ("unshare", &["--map-root-user", "--map-auto", "--", "bash"]) };
    let extended =
        format!("hash_seed={HASH_SEED},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard");
    let populate = cmd!(
        sh,
        "{program} {namespace...} {script} {tar} {out} {scratch_path} -q -F -t ext4 -b 4096 -I 256 -i 16384 -m 1 -L rootfs
         -U {UUID} -e remount-ro -O {FEATURES} -E {extended} -J size=16"
    );
    run("mke2fs", populate, log)?;
    let commands = scratch_path.join("debugfs");
    fs::write(&commands, fixed_times(&sh, out, epoch)?).at(&commands)?;
    run("debugfs", cmd!(sh, "debugfs -w -f {commands} {out}"), log)?;
    run("fsck.ext4", cmd!(sh, "fsck.ext4 -fn {out}"), log)
}

/// debugfs commands that set the times of every used inode, and make the two device nodes that a boot needs before
/// devtmpfs is there (an unprivileged user can unpack none).
fn fixed_times(sh: &Shell, image: &Path, epoch: u64) -> Result<String> {
    let dump = capture("dumpe2fs", cmd!(sh, "dumpe2fs {image}"))?;
    let count = dump.lines().find_map(|line| line.strip_prefix("Inode count:")?.trim().parse::<u32>().ok());
    let lists: Vec<&str> = dump.lines().filter_map(|line| line.strip_prefix("  Free inodes: ")).collect();
    let Some(count) = count.filter(|_| !lists.is_empty()) else {
        return Err(Error::check("dumpe2fs says neither how many inodes there are nor which are free"));
    };
    let mut free = vec![false; count as usize + 1];
    for list in lists {
        for range in list.split(", ").filter(|r| !r.trim().is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            if let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
                free.iter_mut().skip(first).take((last + 1).saturating_sub(first)).for_each(|f| *f = true);
            }
        }
    }
    let mut commands = String::new();
    let used = |inode: &u32| !free.get(*inode as usize).copied().unwrap_or(true);
    let all = [ROOT_INODE].into_iter().chain(FIRST_INODE..free.len() as u32);
    for inode in all.filter(used) {
        for field in ["atime", "ctime", "crtime"] {
            let _ = writeln!(commands, "sif <{inode}> {field} @{epoch}");
        }
    }
    commands.push_str("cd /dev\nmknod console c 5 1\nmknod null c 1 3\n");
    for (node, mode) in [("console", "020600"), ("null", "020666")] {
        let _ = writeln!(commands, "sif /dev/{node} mode {mode}");
        for field in ["atime", "mtime", "ctime", "crtime"] {
            let _ = writeln!(commands, "sif /dev/{node} {field} @{epoch}");
        }
    }
    let _ = writeln!(commands, "sif /dev mtime @{epoch}");
    Ok(commands)
}
