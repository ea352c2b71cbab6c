//! Encrypted key blobs (EKB, partition `eks`) made and checked with keys in files.

use crate::errors::EkbError;
use crate::read_head;
use crate::secret;
use carveout_host::error::Result;
use carveout_host::files;
use carveout_host::ui::Ui;
use std::path::{Path, PathBuf};
use tegra_flash::Ekb;
use tegra_flash::ekb::{BLOCK, Key, Root, SAMPLE_VECTOR};

/// Keys that NVIDIA's hwkey-agent takes from an EKB: kernel encryption and disk encryption.
pub const AGENT_KEYS: usize = 2;
/// Most bytes of an EKB's file, with what a partition has behind it.
const MOST: u64 = 1 << 20;
/// So many hexadecimal digits in a name that is no file's may be a key.
const KEY_LIKE: usize = 12;

/// Where the key that opens an EKB comes from.
#[derive(Clone, Debug)]
pub struct RootRequest {
    /// KEK2: a key file. Without it, that of a device without fuses.
    pub kek2: Option<PathBuf>,
    /// The fixed vector of hwkey-agent's sources: a key file. Without it, that of NVIDIA's sources.
    pub vector: Option<PathBuf>,
}

impl RootRequest {
    /// The key.
    pub fn root(&self, ui: &Ui) -> Result<Root> {
        let kek2 = self.kek2.as_deref().map(|path| key("--kek2", path, ui)).transpose()?;
        let vector = self.vector.as_deref().map(|path| key("--vector", path, ui)).transpose()?;
        Ok(Root::new(&kek2.unwrap_or_else(Key::no_fuses), vector.as_ref().map_or(&SAMPLE_VECTOR, Key::bytes)))
    }
}

/// What an EKB is made of.
#[derive(Clone, Debug)]
pub struct EkbRequest {
    /// What encrypts it.
    pub root: RootRequest,
    /// The keys in it: key files.
    pub keys: Vec<PathBuf>,
    /// The IV: a key file. Without it, it is derived from the keys.
    pub iv: Option<PathBuf>,
}

/// Makes an EKB.
pub fn make(request: &EkbRequest, ui: &Ui) -> Result<Vec<u8>> {
    let root = request.root.root(ui)?;
    let keys = keys(&request.keys, ui)?;
    let iv: Option<[u8; BLOCK]> =
        request.iv.as_deref().map(|path| public("--iv", path).map(|iv| *iv.bytes())).transpose()?;
    let made = Ekb::seal(&root, &keys, iv);
    let made = made.map_err(|source| EkbError::NotMade { keys: keys.len(), source: source.into() })?;
    if root == Root::sample() {
        ui.note(
            "warning: it is encrypted with the key that every device without fuses has and NVIDIA's fixed vector: its keys are no secret",
        );
    }
    if keys.len() != AGENT_KEYS {
        ui.note(&format!(
            "warning: NVIDIA's hwkey-agent takes an EKB with {AGENT_KEYS} keys and refuses this one, which has {}",
            keys.len()
        ));
    }
    Ok(made)
}

/// The keys of files.
pub fn keys(paths: &[PathBuf], ui: &Ui) -> Result<Vec<Key>> {
    paths.iter().map(|path| key("--key", path, ui)).collect()
}

/// A key file that an option names.
pub fn key(option: &str, path: &Path, ui: &Ui) -> Result<Key> {
    ensure_file(option, path)?;
    files::warn_of_readers(path, ui);
    public(option, path)
}

/// The same of what is no secret.
fn public(option: &str, path: &Path) -> Result<Key> {
    ensure_file(option, path)?;
    let wrong =
        |source: tegra_flash::ekb::KeyError| EkbError::NoKey { path: path.into(), source: source.into() };
    Ok(Key::parse(&read_head(path)?).map_err(wrong)?)
}

/// What is no file may be a key's text, in whatever form: it is not shown.
fn ensure_file(option: &str, path: &Path) -> Result<()> {
    match missing(path) {
        Some(shown) => Err(EkbError::NoFile { option: option.into(), shown }.into()),
        None => Ok(()),
    }
}

/// What may be shown of what is no file.
fn missing(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let given = path.to_string_lossy();
    let looks_like_a_path =
        !secret::is_text(&given) && given.bytes().filter(u8::is_ascii_hexdigit).count() < KEY_LIKE;
    Some(if looks_like_a_path {
        given.into_owned()
    } else {
        "what it names, which is not shown here as it may be a key,".into()
    })
}

/// Refuses to write over what is no EKB: one of the keys, above all.
pub fn ensure_replaceable(output: &Path) -> Result<()> {
    if output.exists() && !Ekb::looks_like(&files::read_limited(output, MOST).unwrap_or_default()) {
        return Err(EkbError::NotReplaced { path: output.into() }.into());
    }
    Ok(())
}

/// Writes an EKB, and never over another: that may be the only one with its keys.
pub fn write(output: &Path, made: &[u8]) -> Result<()> {
    ensure_replaceable(output)?;
    if output.exists() && files::read_limited(output, MOST)? != made {
        return Err(EkbError::OtherEkb { path: output.into() }.into());
    }
    files::write(output, made, files::OUTPUT)
}

/// An EKB's file that an option or an argument names, as much of it as the blob has.
pub fn read(option: &str, path: &Path) -> Result<Vec<u8>> {
    if let Some(shown) = missing(path) {
        return Err(EkbError::NoEkbFile { option: option.into(), shown }.into());
    }
    read_file(path)
}

/// The same of a file that a product names.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let bytes = files::read_limited(path, MOST)?;
    let size = parse(path, &bytes)?.size;
    Ok(bytes.get(..size).unwrap_or_default().to_vec())
}

/// The EKB in a file's bytes.
pub fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Ekb<'a>> {
    match Ekb::parse(bytes) {
        None => Err(EkbError::NoEkb { path: path.into() }.into()),
        Some(ekb) => {
            Ok(ekb.map_err(|source| EkbError::Damaged { path: path.into(), source: source.into() })?)
        }
    }
}

/// Opens an EKB, and compares its keys with those of files where there are any. How many keys it has.
pub fn check(path: &Path, root: &RootRequest, files: &[PathBuf], ui: &Ui) -> Result<usize> {
    let bytes = read("EKS.IMG", path)?;
    let expected = keys(files, ui)?;
    let (root, ekb) = (root.root(ui)?, parse(path, &bytes)?);
    let Some(found) = ekb.open(&root) else {
        return Err(EkbError::OtherKey { path: path.into() }.into());
    };
    if Ekb::seal(&root, &found, Some(ekb.iv())).is_ok_and(|again| again != bytes) {
        ui.note("warning: bytes that its CMAC does not cover, in front of it or behind the keys, are not as gen_ekb.py writes them: it was changed");
    }
    if !expected.is_empty() {
        let differs =
            (0..expected.len().max(found.len())).find(|index| expected.get(*index) != found.get(*index));
        if let Some(index) = differs {
            let (number, given) = (index + 1, expected.len());
            return Err(
                EkbError::OtherContent { path: path.into(), number, given, found: found.len() }.into()
            );
        }
    }
    Ok(found.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Exit;
    use carveout_host::ui::Verbosity;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        }
    }

    #[test]
    fn an_ekb_is_made_and_checked_and_others_are_told() {
        let (dir, ui) = (Folder(tempfile::tempdir().unwrap()), Ui::new(Verbosity::Quiet));
        let names = [("kek2", "0f"), ("one", "11"), ("two", "22"), ("vector", "33")];
        let [kek2, one, two, vector] = names.map(|(name, byte)| dir.put(name, byte.repeat(16)));
        let root = RootRequest { kek2: Some(kek2), vector: Some(vector) };
        let request = EkbRequest { root: root.clone(), keys: vec![one.clone(), two.clone()], iv: None };
        let made = make(&request, &ui).unwrap();
        assert_eq!(make(&request, &ui).unwrap(), made, "it repeats");
        // A partition has more behind it.
        let eks = dir.put("eks.img", [&made[..], &[0; 500]].concat());
        assert_eq!(check(&eks, &root, &[], &ui).unwrap(), 2);
        assert_eq!(check(&eks, &root, &[one.clone(), two.clone()], &ui).unwrap(), 2);
        let other = RootRequest { vector: None, ..root.clone() };
        let error = |result: Result<usize>| {
            let error = result.unwrap_err();
            (error.exit, error.to_string())
        };
        let (exit, text) = error(check(&eks, &other, &[], &ui));
        assert!(exit == Exit::Check && text.contains("its CMAC is not that of this KEK2"), "{text}");
        for (keys, expected) in [
            (vec![two.clone(), one.clone()], "its key 1 is another"),
            (vec![one.clone()], "it has 2 keys, 1 was given"),
        ] {
            let (exit, text) = error(check(&eks, &root, &keys, &ui));
            assert!(exit == Exit::Check && text.contains(expected), "{text}");
        }
        let (_, text) = error(check(&one, &root, &[], &ui));
        assert!(text.contains("is no EKB"), "{text}");
        assert!(write(&eks, &made).is_err() && write(&dir.put("same", &made), &made).is_ok());
        let another = make(&EkbRequest { keys: vec![two.clone()], ..request.clone() }, &ui).unwrap();
        let (_, text) = error(write(&dir.put("kept", &made), &another).map(|()| 0));
        assert!(text.contains("is another EKB"), "{text}");
        assert_eq!(std::fs::read(dir.0.path().join("kept")).unwrap(), made);
        let cut = dir.put("cut", &made[..100]);
        let (_, text) = error(check(&cut, &root, &[], &ui));
        assert!(text.contains("announces 1028 bytes, 100 are there"), "{text}");
    }

    #[test]
    fn what_is_no_key_file_is_told_and_no_key_is_shown() {
        let (dir, ui) = (Folder(tempfile::tempdir().unwrap()), Ui::new(Verbosity::Quiet));
        let short = dir.put("short", "0011");
        let error = key("--kek2", &short, &ui).unwrap_err();
        assert!(error.to_string().contains("fewer digits") && !error.to_string().contains("0011"), "{error}");
        let given = Path::new("00112233445566778899aabbccddeeff");
        let error = key("--kek2", given, &ui).unwrap_err().to_string();
        assert!(error.contains("--kek2") && !error.contains("8899"), "{error}");
        for text in [
            "0011223344556677",
            "key=00112233445566778899aabbccddeef",
            "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
        ] {
            let errors = [
                key("--key", Path::new(text), &ui).unwrap_err(),
                read("EKS.IMG", Path::new(text)).unwrap_err(),
            ];
            assert!(errors.iter().all(|error| !error.to_string().contains(text)), "{errors:?}");
        }
        // An EKB is no key, and is not written over by another.
        let none = read("EKS.IMG", Path::new("eks.img")).unwrap_err().to_string();
        assert!(none.contains("eks.img"), "{none}");
        assert!(key("--key", Path::new("disk.key"), &ui).unwrap_err().to_string().contains("disk.key"));
        // A key is not written over.
        assert!(ensure_replaceable(&short).is_err() && std::fs::read(&short).unwrap() == b"0011");
        assert!(
            ensure_replaceable(&dir.put("new", "")).is_err() && ensure_replaceable(Path::new("none")).is_ok()
        );
    }
}
