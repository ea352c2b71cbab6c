//! What is done with one board in recovery mode: identify, boot its recovery loader, write, read, restart.

use super::package::{Package, Script};
use super::tool::{SHORT, Tools, within};
use super::usb;
use crate::errors::{BoardError, BundleError};
use bundle::{Fused, Manifest};
use carveout_host::error::{At, Result};
use std::cell::Cell;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use tegra_bct::mb1;
use tegra_bct::signed::Signed;
use tegra_flash::slots::MB1_BCT;
use tegra_flash::{BoardId, ChipId, Eeprom, EepromError, Fuses};
use trusty_image::Soc;

/// The boot ROM's messages that start the recovery loader of t186, and what reads the EEPROM of t194.
const MESSAGES: [&str; 2] = ["--rcm", "rcm_list_signed.xml"];
/// A layout without the SD card, and what NVIDIA's tool makes of it.
const PARTS: &str = "boot-parts.xml.tmp";
const PARTS_TABLE: &str = "boot-parts.xml.bin";
/// Answers of a loader that starts are waited for so often, a step apart.
const TRIES: usize = 30;
/// Tests wait less.
const STEP_VARIABLE: &str = "CARVEOUT_FLASH_WAIT";
/// A board that restarts into recovery mode is back within this.
const COMES_BACK: Duration = Duration::from_secs(30);

/// Who a board is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What its EEPROM says.
    pub id: BoardId,
    /// What its boot ROM says.
    pub chip: ChipId,
    /// The bundle's module that it is.
    pub module: String,
    /// Whether its recovery loader runs already: that of t186 has read the EEPROM. The first session takes it from there, as flash.sh does.
    in_loader: Cell<bool>,
}

/// How a chip is named to NVIDIA's tools.
fn chip_words(soc: Soc) -> [&'static str; 3] {
    ["--chip", soc.chip(), "0"]
}

/// Seconds between two questions to a loader that starts.
fn step() -> Duration {
    let tests = std::env::var(STEP_VARIABLE).ok().and_then(|text| text.parse::<f64>().ok());
    Duration::from_secs_f64(tests.filter(|s| (0.0..60.0).contains(s)).unwrap_or(1.0))
}

/// Asks until a tool says yes.
fn poll(tools: &Tools, tool: &str, question: &str) -> Result<()> {
    for _ in 0..TRIES {
        sleep(step());
        if tools.ask(tool, &[question], SHORT)?.good {
            return Ok(());
        }
    }
    tools.run(tool, &[question], SHORT).map(|_| ())
}

/// Reads chip and EEPROM, and compares them with the bundle. A board with t194 is in recovery mode again afterwards.
pub fn identify(tools: &Tools, manifest: &Manifest) -> Result<Identity> {
    let soc = manifest.soc();
    let words = [&chip_words(soc)[..], &MESSAGES].concat();
    let said = tools.ask("tegrarcm_v2", &words, SHORT)?;
    let chip = ChipId::find(&said.text);
    // Another one refuses the message, after it has said what it is.
    if let Some(other) = chip.as_ref().ok().filter(|chip| chip.soc != soc) {
        let (found, expected) = (other.soc.to_string(), soc.to_string());
        return Err(BoardError::OtherSoc { found, expected, board: manifest.board.clone() }.into());
    }
    tools.judged(said, "tegrarcm_v2", &words, SHORT)?;
    let chip = chip.map_err(|e| BoardError::ChipUnknown { source: e.into() })?;
    poll(tools, "tegrarcm_v2", "--isapplet")?;
    if soc == Soc::T194 {
        boot_eeprom_reader(tools)?;
    }
    let eeprom = tools.path("cvm.bin");
    tools.fresh(&eeprom)?;
    tools.run("tegrarcm_v2", &["--oem", "platformdetails", "eeprom", "cvm", "cvm.bin"], SHORT)?;
    let length = fs::metadata(&eeprom).map_or(0, |m| m.len());
    if length == 0 {
        return Err(BoardError::EepromNotRead.into());
    }
    ensure_readable(&fs::read(&eeprom).at(&eeprom)?)?;
    let word = |option| {
        tools
            .run("chkbdinfo", &[option, "cvm.bin"], SHORT)
            .map(|text| text.trim().trim_matches('\0').trim().to_owned())
    };
    let id = BoardId { board: word("-i")?, fab: word("-f")?, sku: word("-k")?, revision: word("-r")? };
    if soc == Soc::T194 {
        tools.run("tegrarcm_v2", &["--reboot", "recovery"], SHORT)?;
        sleep(step());
        usb::wait(&tools.instance, manifest, COMES_BACK)?;
    }
    let module = suits(manifest, &id, &chip);
    if soc == Soc::T186 && module.is_err() {
        // So that the next attempt finds its boot ROM; if that fails, reset does it.
        tools.ask("tegrarcm_v2", &["--reboot", "recovery"], SHORT)?;
    }
    let module = module?;
    Ok(Identity { id, chip, module, in_loader: Cell::new(soc == Soc::T186) })
}

/// Of t194 a small boot loader of its own reads the EEPROM.
fn boot_eeprom_reader(tools: &Tools) -> Result<()> {
    let applet =
        fs::read_dir(&tools.dir).at(&tools.dir)?.flatten().filter_map(|e| e.file_name().into_string().ok());
    let mut applet: Vec<String> = applet.filter(|name| name.starts_with("nvtboot_applet")).collect();
    let applet = applet.pop().ok_or(BundleError::NoEepromReader)?;
    tools.run("tegrarcm_v2", &["--download", "mb2", &applet], SHORT)?;
    tools.run("tegrarcm_v2", &["--boot", "recovery"], SHORT)?;
    poll(tools, "tegrarcm_v2", "--ismb2")
}

/// Refuses an EEPROM that does not say which module it is of. NVIDIA's chkbdinfo calls a blank one a checksum's error.
fn ensure_readable(eeprom: &[u8]) -> Result<()> {
    match Eeprom::parse(eeprom) {
        Err(error @ EepromError::Blank(_)) => Err(BoardError::EepromBlank { source: error.into() }.into()),
        Err(error @ EepromError::Crc { .. }) => {
            Err(BoardError::EepromDamaged { source: error.into() }.into())
        }
        // What a later layout of the EEPROM has, NVIDIA's tool may still read.
        _ => Ok(()),
    }
}

/// The bundle's module that a board is, or why it must not be flashed.
fn suits(manifest: &Manifest, id: &BoardId, chip: &ChipId) -> Result<String> {
    let device = manifest.device.as_ref().ok_or(BundleError::NoRealBoard)?;
    let modules = || device.modules.iter().map(|module| format!("{} ({})", module.name, module.id)).collect();
    if id.board.is_empty() || id.sku.is_empty() || id.fab.is_empty() {
        return Err(BoardError::EepromWithoutModule { modules: modules() }.into());
    }
    id.check().map_err(|e| BoardError::EepromBadModule { source: e.into(), modules: modules() })?;
    let expected = device.soc.revision();
    if let Some(revision) = chip.revision.filter(|revision| *revision != expected) {
        return Err(BoardError::OtherRevision { revision, expected, modules: modules() }.into());
    }
    let signed = match device.fused {
        Fused::No => "no keys",
        Fused::Pkc => "a PKC",
        Fused::PkcSbk => "a PKC and an SBK",
    };
    let wants = match chip.fuses {
        Fuses::None | Fuses::Development => "no keys",
        Fuses::Pkc => "a PKC",
        Fuses::PkcSbk => "a PKC and an SBK",
        Fuses::Sbk => "an SBK alone, which carveout does not sign for",
    };
    if signed != wants || chip.fuses == Fuses::Development {
        let fuses = format!("{:?}", chip.fuses);
        return Err(BoardError::OtherFuses { fuses, wants, signed, modules: modules() }.into());
    }
    let module = device.module(id).ok_or_else(|| BoardError::OtherModule {
        board: id.to_string(),
        name: id.name(),
        modules: modules(),
    })?;
    Ok(module.name.clone())
}

/// Whether a package has a memory BCT: t186 has its memory timings in the BR BCT.
fn has_memory_bct(script: &Script) -> Result<bool> {
    Ok(!script.words("membctarg")?.is_empty())
}

/// A board whose recovery loader runs.
pub struct Session<'a> {
    tools: &'a Tools,
    script: Script,
    manifest: &'a Manifest,
    module: &'a str,
}

impl<'a> Session<'a> {
    /// Boots the recovery loader, as `nvaflash.sh` does.
    pub fn boot(tools: &'a Tools, package: &'a Package, identity: &'a Identity) -> Result<Self> {
        let script = Script::read(&tools.dir)?;
        if !identity.in_loader.take() {
            let mut rcm = chip_words(package.manifest.soc()).to_vec();
            for soft_fuses in script.words("rcmsfarg")? {
                rcm.extend(["--rcm", soft_fuses]);
            }
            rcm.extend(script.words("rcmarg")?);
            tools.run("tegrarcm_v2", &rcm, SHORT)?;
            poll(tools, "tegrarcm_v2", "--isapplet")?;
        }
        let mut bcts = [script.words("dlbrbctarg")?, script.words("dlmb1bctarg")?].concat();
        if has_memory_bct(&script)? {
            bcts.extend(script.words("dlmembctarg")?);
        }
        tools.run("tegrarcm_v2", &bcts, SHORT)?;
        tools.run("tegrarcm_v2", &["--download", "blob", "blob.bin"], SHORT)?;
        tools.run("tegrarcm_v2", &["--boot", "recovery"], SHORT)?;
        poll(tools, "tegradevflash_v2", "--iscpubl")?;
        Ok(Self { tools, script, manifest: &package.manifest, module: &identity.module })
    }

    /// Writes every partition, or those of another layout, and the boot configs last.
    pub fn create(&self, bytes: u64, layout: Option<&str>) -> Result<()> {
        let table = match layout {
            None => self.script.words("pttarg")?,
            Some(text) => {
                let (source, made) = (self.tools.path(PARTS), self.tools.path(PARTS_TABLE));
                carveout_host::files::put(&source, text)?;
                self.tools.fresh(&made)?;
                // NVIDIA's own compiler of layouts.
                self.tools.run("tegraparser_v2", &["--pt", PARTS], SHORT)?;
                fs::metadata(&made).at(&made)?;
                vec!["--pt", PARTS_TABLE]
            }
        };
        let storage = "storage_info.bin";
        self.tools.fresh(&self.tools.path(storage))?;
        self.tools.run("tegradevflash_v2", &["--oem", "platformdetails", "storage", storage], SHORT)?;
        // Always of this very board: NVIDIA's script takes that of the first one for all.
        let generate = [&["--storageinfo", storage, "--generategpt"][..], &table].concat();
        self.tools.run("tegraparser_v2", &generate, SHORT)?;
        self.tools.run("tegradevflash_v2", &[&table[..], &["--create"]].concat(), within(bytes))?;
        let memory: &[&str] =
            if has_memory_bct(&self.script)? { &["wrmembctarg", "wrmembctbarg"] } else { &[] };
        for variable in ["wrbrbctarg", "wrmb1bctarg", "wrmb1bctbarg"].iter().chain(memory) {
            self.tools.run("tegradevflash_v2", &self.script.words(variable)?, SHORT)?;
        }
        Ok(())
    }

    /// Writes a file to a partition.
    pub fn write(&self, partition: &str, file: &str, bytes: u64) -> Result<()> {
        self.tools.run("tegradevflash_v2", &["--write", partition, file], within(bytes)).map(|_| ())
    }

    /// Reads a partition of `bytes` into a file.
    pub fn read(&self, partition: &str, to: &Path, bytes: u64) -> Result<()> {
        self.tools.fresh(to)?;
        let name = to.display().to_string();
        self.tools.run("tegradevflash_v2", &["--read", partition, &name], within(bytes))?;
        // A read that fails has been called a success.
        match fs::metadata(to).map_or(0, |m| m.len()) {
            0 => Err(BoardError::NothingRead { partition: partition.into() }.into()),
            _ => Ok(()),
        }
    }

    /// The bundle's file for a partition, by its name in the package.
    pub fn file_of(&self, partition: &str) -> Result<String> {
        let found = self.manifest.partition_file(self.module, partition);
        let (name, _) =
            found.ok_or_else(|| BundleError::NoFileForPartition { partition: partition.into() })?;
        Ok(name.to_owned())
    }

    /// Reads a partition back and compares it with the bundle's file for it.
    pub fn compare(&self, partition: &str) -> Result<()> {
        match self.has(partition)? {
            true => Ok(()),
            false => Err(BoardError::ReadBackDiffers { partition: partition.into() }.into()),
        }
    }

    /// Whether a partition has the bundle's file for it.
    pub fn has(&self, partition: &str) -> Result<bool> {
        let ours = self.ours(partition)?;
        let back = self.tools.path("read-back.bin");
        let length = ours.len() as u64;
        self.read(partition, &back, length)?;
        let mut read = Vec::new();
        File::open(&back).and_then(|file| file.take(length).read_to_end(&mut read)).at(&back)?;
        Ok(read == ours)
    }

    /// All that a partition holds.
    pub fn content(&self, partition: &str, most: u64) -> Result<Vec<u8>> {
        let back = self.tools.path("read-back.bin");
        self.read(partition, &back, most)?;
        carveout_host::files::read_limited(&back, most)
    }

    /// The partitions that have the same file of the bundle as this one; none if it has none.
    pub fn partitions_like(&self, partition: &str) -> Option<Vec<String>> {
        self.manifest.partition_file(self.module, partition).map(|(_, entry)| entry.partitions.clone())
    }

    /// What the bundle has for a partition.
    pub fn ours(&self, partition: &str) -> Result<Vec<u8>> {
        let file = self.tools.path(&self.file_of(partition)?);
        fs::read(&file).at(&file)
    }

    /// The carve-out that the board's boot config has now. Of an encrypted one it cannot be read.
    pub fn carve_out(&self) -> Result<Option<mb1::Mb1Tzdram>> {
        let back = self.tools.path("read-back.bin");
        self.read(MB1_BCT[0], &back, 1 << 16)?;
        let bct = fs::read(&back).at(&back)?;
        Ok(Signed::parse(&bct).filter(|signed| &signed.kind == b"MBCT").and_then(|_| mb1::read(&bct).ok()))
    }

    /// Brings the board back into recovery mode.
    pub fn recovery(self) -> Result<()> {
        self.tools.run("tegradevflash_v2", &["--reboot", "recovery"], SHORT)?;
        sleep(step());
        usb::wait(&self.tools.instance, self.manifest, COMES_BACK)
    }

    /// Restarts the board from its own storage.
    pub fn restart(self) -> Result<()> {
        self.tools.run("tegradevflash_v2", &["--reboot", "coldboot"], SHORT).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVIDIA's chkbdinfo calls a blank EEPROM a checksum's error.
    #[test]
    fn an_eeprom_that_does_not_say_which_module_it_is_of_is_told_so() {
        let error = |bytes: &[u8]| ensure_readable(bytes).unwrap_err().to_string();
        assert!(error(&[0xff; 256]).starts_with("the module's EEPROM is blank (every byte is 0xff)"));
        assert!(
            error(&[0xff; 256]).contains("help: nothing has been written; have the module's EEPROM written")
        );
        let mut damaged = [0; 256];
        damaged[0x14..0x2a].copy_from_slice(b"699-82888-0004-400 K.0");
        damaged[255] = 0x55;
        assert!(error(&damaged).starts_with("the module's EEPROM is damaged: its CRC-8 is 0x55"));
        assert_eq!(ensure_readable(b"another layout, which NVIDIA's tool may read"), Ok(()));
    }
}
