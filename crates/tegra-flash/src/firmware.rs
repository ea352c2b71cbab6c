//! What NVIDIA's unsigned boot parts are, told by what is in them: they have no common header, and users rename them.
//!
//! Marks seen in the files of L4T R32.7.2, of t186 and t194.

/// A part of the boot chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// What it is, for people.
    pub name: &'static str,
    /// Its partition, if it has one.
    pub partition: Option<&'static str>,
}

/// A text that only this part has, where it begins at the latest, and what it is. The first that fits counts: later parts carry
/// texts of the libraries of earlier ones.
const TEXTS: [(&[u8], usize, Firmware); 12] = [
    (b"SPE VERSION #", 0x40, firmware("SPE firmware (always-on processor)", "spe-fw")),
    (b"Welcome to Cboot", usize::MAX, firmware("cboot (CPU boot loader)", "cpu-bootloader")),
    (b"Welcome to DRAM ECC FW", usize::MAX, loaded("DRAM ECC firmware")),
    (
        b"MB2(TBoot-BPMP) Applet",
        usize::MAX,
        loaded("MB2 applet (nvtboot_applet): reads EEPROMs in recovery mode"),
    ),
    (b"MB2(TBoot-BPMP) Recovery", usize::MAX, loaded("MB2 of recovery mode (nvtboot_recovery)")),
    (b"MB2(TBoot-BPMP)", usize::MAX, firmware("MB2 (nvtboot)", "mb2")),
    (b"TBoot-CPU Recovery", usize::MAX, loaded("CPU boot loader of recovery mode (nvtboot_recovery_cpu)")),
    (b"TBoot-CPU", usize::MAX, loaded("CPU boot loader (nvtboot_cpu)")),
    (b"nvidia,tegra194-rce", usize::MAX, firmware("RCE firmware (camera processor)", "rce-fw")),
    (b"dram ecc verify", usize::MAX, loaded("DRAM ECC firmware of t186")),
    (b"sce-hsp", usize::MAX, firmware("SCE firmware (camera processor of t186)", "sce-fw")),
    (b"SceIvc_Init", usize::MAX, firmware("SCE firmware", "sce-fw")),
];
/// The vectors of the ADSP's firmware: `ldr pc, [pc, #24]`, eight times.
const ADSP: [u8; 4] = [0x18, 0xf0, 0x9f, 0xe5];
/// Bytes of XUSB's firmware from its code tag on, to the end.
const XUSB_BEHIND_TAG: usize = 0x800;
/// t194 and t186 in the BPMP firmware's header.
const CHIPS: [(u8, &str); 2] =
    [(0x19, "BPMP firmware of t194 (Xavier)"), (0x18, "BPMP firmware of t186 (Jetson TX2)")];

const fn firmware(name: &'static str, partition: &'static str) -> Firmware {
    Firmware { name, partition: Some(partition) }
}

const fn loaded(name: &'static str) -> Firmware {
    Firmware { name, partition: None }
}

/// Tells a boot part by its content.
pub fn identify(bytes: &[u8]) -> Option<Firmware> {
    if bytes.get(4..8) == Some(b"bpmp") {
        let chip = bytes.get(8)?;
        let name = CHIPS.iter().find(|(id, _)| id == chip).map_or("BPMP firmware", |(_, name)| *name);
        return Some(firmware(name, "bpmp-fw"));
    }
    if bytes.starts_with(b"NVCR") {
        return Some(firmware("MTS, the CPU's microcode, encrypted by NVIDIA", "mts-proper"));
    }
    if bytes.first_chunk::<32>().is_some_and(|vectors| vectors.chunks_exact(4).all(|v| v == ADSP)) {
        return Some(firmware("ADSP firmware (audio processor)", "adsp-fw"));
    }
    if is_xusb(bytes) {
        return Some(firmware("XUSB firmware (USB controller)", "xusb-fw"));
    }
    if !is_code(bytes) {
        return None;
    }
    let found = |(text, latest, _): &&(&[u8], usize, Firmware)| {
        let end = latest.saturating_add(text.len()).min(bytes.len());
        bytes.get(..end).is_some_and(|head| contains(head, text))
    };
    TEXTS.iter().find(found).map(|(_, _, firmware)| *firmware)
}

/// Whether bytes begin with an ARM instruction, as all of these parts do: one that is always executed, `cps`, or an AArch64 branch. A
/// document or a script about such parts has their texts, too.
fn is_code(bytes: &[u8]) -> bool {
    matches!(bytes.get(3), Some(0xe0..=0xef | 0xf1 | 0x14))
}

/// By the first words of `struct tegra_xusb_fw_header` (Linux, xhci-tegra.c): load address, offset of the code's check, its tag,
/// which is at the same place, its size, and no physical address yet.
fn is_xusb(bytes: &[u8]) -> bool {
    let word = |index: usize| {
        let bytes = bytes.get(4 * index..4 * index + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    };
    let (Some(load), Some(check), Some(tag), Some(size), Some(0)) =
        (word(0), word(1), word(2), word(3), word(4))
    else {
        return false;
    };
    load > 0
        && load < check
        && check == tag
        && size > 0
        && tag.checked_add(XUSB_BEHIND_TAG) == Some(bytes.len())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_told_by_what_is_in_them() {
        let name = |bytes: &[u8]| identify(bytes).map(|firmware| firmware.name);
        let code = |text: &str| [&[0x05, 0, 0, 0xea][..], text.as_bytes(), &[0; 9]].concat();
        assert!(name(b"\x08\xf0\x9f\xe5bpmp\x19\0").unwrap().contains("t194"));
        assert!(name(b"\x08\xf0\x9f\xe5bpmp\x18\0").unwrap().contains("t186"));
        assert_eq!(name(&code("I> MB2(TBoot-BPMP) Applet")).unwrap().split(' ').nth(1), Some("applet"));
        assert_eq!(name(&code("MB2(TBoot-BPMP)")), Some("MB2 (nvtboot)"));
        assert!(name(&code("Welcome to Cboot, loaded by MB2(TBoot-BPMP)")).unwrap().starts_with("cboot"));
        assert!(name(&ADSP.repeat(8)).unwrap().starts_with("ADSP"));
        assert_eq!(name(&ADSP.repeat(7)), None);
        let mut xusb: Vec<u8> =
            [0x5b00u32, 0x6000, 0x6000, 0x500, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
        xusb.resize(0x6800, 0);
        assert!(name(&xusb).unwrap().starts_with("XUSB"));
        assert_eq!(name(&xusb[..0x67ff]), None);
        assert_eq!(name(b"a text about MB2(TBoot-BPMP)"), None, "a document is no firmware");
        assert_eq!(name(b"\x33\r\r\nCompiled Python about TBoot-CPU"), None);
        assert_eq!(name(&[0xff; 64]), None);
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = identify(&bytes);
        }
    }
}
