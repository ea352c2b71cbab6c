//! The rules' names and remedies.

/// One demand of the loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The file is readable as ELF32.
    Elf,
    /// 32-bit ARM, EABI5, fixed addresses.
    Target,
    /// Nothing is left to link or relocate at load time.
    Static,
    /// The entry point is ARM code in an executable segment.
    Entry,
    /// Segments are page aligned in address and file.
    SegmentAlignment,
    /// Segments have the same size in file and memory, and lie within the file.
    SegmentSize,
    /// The first segment lies at 0x8000, none below, none behind .bss, none over another.
    SegmentPlace,
    /// `.bss`, `.bss-pad` and `.trusty_app.manifest` exist, once each.
    Sections,
    /// `.bss` has space in the file, where its address says.
    Bss,
    /// `.bss-pad` is the last allocated section and ends on a page in the file.
    BssPad,
    /// Section headers come right behind the last section.
    HeadersLast,
    /// The file ends where the section headers end.
    FileEnd,
    /// The manifest's words are ones that the loader knows.
    Manifest,
    /// Image, heap and stack fit below 16 MiB.
    AddressSpace,
}

impl Rule {
    /// All rules, in the order in which they are checked.
    pub const ALL: [Self; 14] = [
        Self::Elf,
        Self::Target,
        Self::Static,
        Self::Entry,
        Self::SegmentAlignment,
        Self::SegmentSize,
        Self::SegmentPlace,
        Self::Sections,
        Self::Bss,
        Self::BssPad,
        Self::HeadersLast,
        Self::FileEnd,
        Self::Manifest,
        Self::AddressSpace,
    ];

    /// Stable name, for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::Elf => "ta-elf",
            Self::Target => "ta-target",
            Self::Static => "ta-static",
            Self::Entry => "ta-entry",
            Self::SegmentAlignment => "ta-segment-alignment",
            Self::SegmentSize => "ta-segment-size",
            Self::SegmentPlace => "ta-segment-place",
            Self::Sections => "ta-sections",
            Self::Bss => "ta-bss",
            Self::BssPad => "ta-bss-pad",
            Self::HeadersLast => "ta-headers-last",
            Self::FileEnd => "ta-file-end",
            Self::Manifest => "ta-manifest",
            Self::AddressSpace => "ta-address-space",
        }
    }

    /// How to mend a file that breaks the rule.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Elf => "build it with `cargo xtask trusted-apps`, or check that the file was copied whole",
            Self::Target => "build it for armv7a-none-eabi (ARM state, EABI5)",
            Self::Static => "link it statically, without position-independent code",
            Self::Entry => "give _start as ENTRY in the linker script, compiled to ARM (not Thumb) code",
            Self::SegmentAlignment => {
                "link with -z max-page-size=0x1000 and the linker script of trusty-ta-build"
            }
            Self::SegmentSize => "make .bss PROGBITS: the linker script of trusty-ta-build does it",
            Self::SegmentPlace => "link at 0x8000 with the linker script of trusty-ta-build",
            Self::Sections => "link with the linker script of trusty-ta-build; do not strip section headers",
            Self::Bss => "make .bss PROGBITS: the linker script of trusty-ta-build does it",
            Self::BssPad => "let `.bss-pad : { BYTE(0); . = ALIGN(0x1000); }` be the last allocated section",
            Self::HeadersLast | Self::FileEnd => {
                "append nothing to the ELF; strip it with GNU objcopy or not at all"
            }
            Self::Manifest => "declare the trusted app under [package.metadata.trusty] and build it anew",
            Self::AddressSpace => "lower min_heap or min_stack, or shrink static data",
        }
    }
}
