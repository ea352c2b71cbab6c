//! Which of NVIDIA's boot-config files a text is. All have the form `key = value;`, and one folder (`t186ref/BCT` of L4T
//! R32.7.2) holds those of t186 and t194: the keys tell them apart, never the file's name.

use std::fmt;

/// A kind of boot-config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Family {
    /// MB1's misc config of t194 (Xavier): it has the carve-out.
    Misc194,
    /// MB1's misc config of t186 (TX2): other keys, and no carve-out of Trusty as shipped.
    Misc186,
    /// Pin multiplexing.
    Pinmux,
    /// Voltages of pads.
    PadVoltage,
    /// The power chip.
    Pmic,
    /// Values found in production.
    Prod,
    /// Access control of registers.
    Scr,
    /// Which GPIO raises which interrupt.
    GpioInt,
    /// Lanes of the UPHY.
    UphyLane,
    /// Boot devices.
    Device,
    /// The least version of each firmware.
    Ratchet,
    /// Reset sequences.
    Reset,
    /// What the boot ROM does at reset.
    BootRom,
    /// Timings of the memory.
    Memory,
    /// Software's changes to memory timings.
    MemoryOverride,
    /// MB1's soft fuses.
    SoftFuses,
    /// The boot ROM's BCT.
    BrBct,
}

/// How the keys of each begin. Those of a misc config stand below, because t186 and t194 share most.
const PREFIXES: [(&str, Family); 17] = [
    ("pinmux.", Family::Pinmux),
    ("pad-voltage.", Family::PadVoltage),
    ("pmc.", Family::PadVoltage),
    ("pmic.", Family::Pmic),
    ("prod.", Family::Prod),
    ("scr.", Family::Scr),
    ("gpio-intmap.", Family::GpioInt),
    ("uphy-lane.", Family::UphyLane),
    ("device.", Family::Device),
    ("ratchet.", Family::Ratchet),
    ("reset.", Family::Reset),
    ("bootrom.", Family::BootRom),
    ("SDRAM[", Family::Memory),
    ("McVideoProtect", Family::MemoryOverride),
    ("RatchetBurn", Family::SoftFuses),
    ("BootLoader[", Family::BrBct),
    ("PartitionSize", Family::BrBct),
];
/// Keys that a misc config of t194 alone has.
const MISC_194: [&str; 5] =
    ["carveout.", "firmware.", "wp.waypoint", "disable_spe", "carveout_alloc_direction"];
/// Keys that a misc config of t186 alone has.
const MISC_186: [&str; 4] = ["sw_carveout.", "mb2_params.", "wdt.", "enable_can_boot"];

impl Family {
    /// Tells a file's family by its keys; `None` if no key is known.
    pub fn of(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let text = text.trim_start_matches('\u{feff}');
        let keys: Vec<&str> = text.lines().filter_map(key).collect();
        let any = |prefixes: &[&str]| keys.iter().any(|key| prefixes.iter().any(|p| key.starts_with(p)));
        // One key of a misc config decides: other files have none of them, and a TX2's may be added to by hand.
        if any(&MISC_186) {
            return Some(Self::Misc186);
        }
        if any(&MISC_194) {
            return Some(Self::Misc194);
        }
        let known = |key: &&str| PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, f)| *f);
        keys.iter().find_map(known)
    }

    /// Whether it is a misc config, of whatever chip.
    pub fn is_misc(self) -> bool {
        matches!(self, Self::Misc194 | Self::Misc186)
    }

    /// A word for machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Misc194 => "misc-t194",
            Self::Misc186 => "misc-t186",
            Self::Pinmux => "pinmux",
            Self::PadVoltage => "pad-voltage",
            Self::Pmic => "pmic",
            Self::Prod => "prod",
            Self::Scr => "scr",
            Self::GpioInt => "gpio-interrupts",
            Self::UphyLane => "uphy-lane",
            Self::Device => "device",
            Self::Ratchet => "ratchet",
            Self::Reset => "reset",
            Self::BootRom => "bootrom",
            Self::Memory => "memory",
            Self::MemoryOverride => "memory-override",
            Self::SoftFuses => "soft-fuses",
            Self::BrBct => "br-bct",
        }
    }
}

/// The key of a line, if it is one of the kind `key = value`.
fn key(line: &str) -> Option<&str> {
    let code = line.split('#').next().unwrap_or_default();
    let (key, _) = code.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && !key.contains(char::is_whitespace)).then_some(key)
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Misc194 => "misc boot config of t194 (Xavier)",
            Self::Misc186 => "misc boot config of t186 (Jetson TX2)",
            Self::Pinmux => "pinmux config",
            Self::PadVoltage => "pad voltage config",
            Self::Pmic => "PMIC config",
            Self::Prod => "prod config (values found in production)",
            Self::Scr => "SCR config (access control of registers)",
            Self::GpioInt => "GPIO interrupt config",
            Self::UphyLane => "UPHY lane config",
            Self::Device => "boot device config",
            Self::Ratchet => "ratchet config (least versions of firmware)",
            Self::Reset => "reset config",
            Self::BootRom => "boot ROM config",
            Self::Memory => "memory config (SDRAM timings)",
            Self::MemoryOverride => "memory override config",
            Self::SoftFuses => "soft fuse config",
            Self::BrBct => "boot ROM BCT config (BR-BCT)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn families_are_told_by_their_keys() {
        for (text, family) in [
            ("bctsize = 0;\ncarveout.misc.size = 1;\n", Some(Family::Misc194)),
            ("bctsize = 0;\ndisable_spe = 0;\n#carveout.tzdram.size = 1;\n", Some(Family::Misc194)),
            ("bctsize = 0;\nsw_carveout.mb2_carveout_size = 1;\n", Some(Family::Misc186)),
            ("enable_can_boot = 1;\ncarveout.tzdram.size = 1;\n", Some(Family::Misc186)),
            ("# x\npinmux.major = 1;\npinmux.0x022136a0 = 0x1; # CONFIG S5\n", Some(Family::Pinmux)),
            ("pad-voltage.major = 1;\n", Some(Family::PadVoltage)),
            ("gpio-intmap.port.B.pin.0 = 0;\n", Some(Family::GpioInt)),
            ("uphy-lane.major=1;\n", Some(Family::UphyLane)),
            ("SDRAM[0].MemoryType   = NvBootMemoryType_LpDdr4;\n", Some(Family::Memory)),
            ("BootClientEmcRoc = 1;\nPartitionSize = 16777216;\n", Some(Family::BrBct)),
            ("RatchetBurn = 0; # x\n", Some(Family::SoftFuses)),
            ("a = 1;\n", None),
            ("carveout.tzdram.size\n# pmic. = 1\n", None),
            ("", None),
        ] {
            assert_eq!(Family::of(text.as_bytes()), family, "{text}");
        }
    }

    /// NVIDIA's own files, where they are at hand: the name says what the keys must.
    #[test]
    fn real_files_are_told_apart() {
        let Some(bsp) = std::env::var_os("CARVEOUT_L4T_BSP") else {
            eprintln!("skipped: CARVEOUT_L4T_BSP is not set");
            return;
        };
        let folder = std::path::Path::new(&bsp).join("bootloader/t186ref/BCT");
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let family = Family::of(&std::fs::read(entry.path()).unwrap());
            assert!(family.is_some(), "{name}");
            let misc = name.contains("-misc-");
            let expected = if name.starts_with("tegra186") { Family::Misc186 } else { Family::Misc194 };
            assert_eq!(family == Some(expected), misc, "{name}: {family:?}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = Family::of(&bytes);
        }
    }
}
