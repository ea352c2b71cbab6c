//! e2fsprogs: an ext4 image from a tar file, the same bytes on every host.
//!
//! mke2fs 1.47.0 sorts what it copies, but takes access and change times from the build host: they are set afterwards,
//! with debugfs, in every used inode. mke2fs.conf of the host does not count.

use crate::errors::RootfsError;
use crate::identity;
use carveout_host::error::{At, Result};
use carveout_host::process;
use carveout_host::tools::namespace;
use carveout_host::tools::namespace::Folder;
use carveout_host::tools::{capture, run, shell};
use stage_cache::Work;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use xshell::cmd;

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
    let output = process::output(cmd!(sh, "mke2fs -V"), None).map_err(|unstarted| unstarted.of("mke2fs"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A digest of how images are made: a change of it makes them anew.
pub fn recipe() -> String {
    bundle::sha256([POPULATE, UUID, HASH_SEED, FEATURES].concat().as_bytes())
}

/// Makes an image of `size` bytes. Holes stay holes.
pub fn image(tar: &Path, size: u64, epoch: u64, out: &Path, work: &Work) -> Result<()> {
    let (scratch, log) = (Folder::new(work.scratch()?)?, work.log);
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
    let namespace = namespace::entered(log)?;
    let extended =
        format!("hash_seed={HASH_SEED},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard");
    let populate = cmd!(
        sh,
        "env {namespace...} bash {script} {tar} {out} {scratch_path} -q -F -t ext4 -b 4096 -I 256 -i 16384 -m 1 -L rootfs
         -U {UUID} -e remount-ro -O {FEATURES} -E {extended} -J size=16"
    );
    run("mke2fs", populate, log)?;
    let commands = scratch_path.join("debugfs");
    let blank = scratch_path.join("blank");
    fs::write(&blank, bundle::blank()).at(&blank)?;
    fs::write(&commands, fixed_times(out, &blank, epoch)?).at(&commands)?;
    run("debugfs", cmd!(sh, "debugfs -w -f {commands} {out}"), log)?;
    run("fsck.ext4", cmd!(sh, "fsck.ext4 -fn {out}"), log)
}

/// Numbers that dumpe2fs lists as free, by ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Free(Vec<(u64, u64)>);

impl Free {
    /// The lists of a dump that `label` stands before, sorted.
    fn parse(dump: &str, label: &str) -> Self {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let range = |text: &str| {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            Some((number(first)?, number(last)?))
        };
        let lists = dump.lines().filter_map(|line| line.strip_prefix(label));
        let mut ranges: Vec<_> = lists.flat_map(|list| list.split(',')).filter_map(range).collect();
        ranges.sort_unstable();
        Self(ranges)
    }

    /// Whether a number is among them.
    pub fn contains(&self, number: u64) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= number);
        let range = behind.checked_sub(1).and_then(|index| self.0.get(index));
        range.is_some_and(|(_, last)| number <= *last)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn dump(image: &Path) -> Result<String> {
    let sh = shell(Path::new("/"))?;
    capture("dumpe2fs", cmd!(sh, "dumpe2fs {image}"))
}

/// The blocks that no file and no structure of the filesystem uses.
pub fn free_blocks(image: &Path) -> Result<Free> {
    Ok(Free::parse(&dump(image)?, "  Free blocks: "))
}

/// debugfs commands that set the times of every used inode, make the two device nodes that a boot needs before devtmpfs is there
/// (an unprivileged user can unpack none), and the place of the bundle's identity.
fn fixed_times(image: &Path, blank: &Path, epoch: u64) -> Result<String> {
    let dump = dump(image)?;
    let count = dump.lines().find_map(|line| line.strip_prefix("Inode count:")?.trim().parse::<u32>().ok());
    let free = Free::parse(&dump, "  Free inodes: ");
    let Some(count) = count.filter(|_| !free.is_empty()) else {
        return Err(RootfsError::InodesUnknown.into());
    };
    let mut commands = String::new();
    let all = [ROOT_INODE].into_iter().chain(FIRST_INODE..=count);
    for inode in all.filter(|inode| !free.contains(u64::from(*inode))) {
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
    identity::place(&mut commands, blank, epoch);
    Ok(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_numbers_are_found() {
        let dump = "Inode count: 9\nGroup 1: (Blocks 8-15)\n  Free blocks: 12-15, 9\n  Free inodes: 3\n\
                    Group 0: (Blocks 0-7)\n  Free blocks: 2-3, 5\n  Free inodes: \n";
        let free = Free::parse(dump, "  Free blocks: ");
        assert_eq!(free, Free(vec![(2, 3), (5, 5), (9, 9), (12, 15)]));
        let found: Vec<u64> = (0..20).filter(|number| free.contains(*number)).collect();
        assert_eq!(found, [2, 3, 5, 9, 12, 13, 14, 15]);
        assert!(Free::parse(dump, "  Free x: ").is_empty());
        assert!(!Free::default().contains(0));
    }
}
