//! The initramfs: the agent as /init, and the modules that it loads, in their order. The same bytes each time.

use carveout_host::error::{At, Result};
use std::path::{Path, PathBuf};

const FILE: u32 = 0o100_755;
const FOLDER: u32 = 0o040_755;

/// Makes it.
pub fn make(agent: &Path, modules: &[PathBuf]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    entry(&mut archive, "init", FILE, &std::fs::read(agent).at(agent)?);
    entry(&mut archive, "modules", FOLDER, &[]);
    let mut order = String::new();
    for path in modules {
        let name = path.file_name().unwrap_or_default().display();
        entry(&mut archive, &format!("modules/{name}"), FILE, &std::fs::read(path).at(path)?);
        order.push_str(&format!("{name}\n"));
    }
    entry(&mut archive, "modules/order", FILE, order.as_bytes());
    entry(&mut archive, "TRAILER!!!", 0, &[]);
    Ok(archive)
}

/// Appends an entry of cpio's "newc" format.
fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, contents: &[u8]) {
    // ino, mode, uid, gid, nlink, mtime, filesize, 4 of devices, namesize, check
    let (inode, size) = (archive.len() as u32, contents.len() as u32);
    let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    archive.extend(b"070701");
    archive.extend(fields.into_iter().flat_map(|field| format!("{field:08x}").into_bytes()));
    for part in [format!("{name}\0").as_bytes(), contents] {
        archive.extend(part);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::process;
    use xshell::cmd;

    /// Read back by a reader of the format that is not ours alone: its fields are where the kernel looks for them (Documentation/driver-api/early-userspace/buffer-format.rst).
    #[test]
    fn names_sizes_and_order_are_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (agent, module) = (file("agent", b"agent"), file("a.ko", &[7; 4097]));
        let archive = make(&agent, &[module.clone()]).unwrap();
        assert_eq!(archive, make(&agent, &[module]).unwrap());
        assert!(archive.starts_with(b"070701"));
        let path = file("archive", &archive);
        let sh = process::shell(dir.path()).unwrap();
        let script = "import sys; d=open(sys.argv[1],'rb').read(); at=0
while True:
    size=int(d[at+54:at+62],16); n=int(d[at+94:at+102],16); name=d[at+110:at+109+n].decode()
    data=(at+110+n+3)&~3
    print(name, size, oct(int(d[at+14:at+22],16)))
    if name=='TRAILER!!!': break
    at=(data+size+3)&~3";
        let output = process::output(cmd!(sh, "python3 -c {script} {path}"), None).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            text,
            "init 5 0o100755\nmodules 0 0o40755\nmodules/a.ko 4097 0o100755\nmodules/order 5 0o100755\nTRAILER!!! 0 0o0\n"
        );
    }
}
