//! What can go wrong with what NVIDIA supplies.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can be wrong with where NVIDIA's parts come from.
    pub enum VendorError("vendor") {
        /// The BSP or the sources that are given cannot be read.
        GivenUnreadable {
            name: &'static str, path: PathBuf, source: io::Error, option: &'static str, variable: &'static str
        } => usage "given-unreadable": ("{name}: {}: {source}", path.display()),
            help ("name an unpacked tree or a tarball with {option}, in the product config, or in {variable}");
        /// The BSP or the sources would have to be downloaded, and the command is forbidden to.
        NotDownloaded { name: &'static str, option: &'static str } => environment "not-downloaded":
            ("{name} is neither given nor downloaded, and --offline forbids to fetch it"),
            help ("name it with {option} PATH, or run the command once without --offline");
        /// The board has no L4T, and a trusted app in C needs NVIDIA's sources all the same.
        NotGiven { name: &'static str, option: &'static str, variable: &'static str } => usage "not-given":
            ("{name}: a trusted app in C is built within them, and none are given"),
            help ("name an unpacked tree or a tarball with {option} or in {variable}");
        /// NVIDIA's licence has not been accepted.
        LicenseNotAccepted { read: String } => usage "license-not-accepted":
            ("NVIDIA's licence has not been accepted yet"),
            help ("{read}; if you agree, say --accept-license once, or l4t.accept_license: true in the product config");
        /// A symbolic link in NVIDIA's tree leads out of it.
        LinkOutside { path: PathBuf, target: PathBuf } => usage "link-outside":
            ("{}: is a link to {}, outside the tree", path.display(), target.display()),
            help ("replace the link by what it leads to");
    }
}

carveout_host::errors! {
    /// What can be wrong with NVIDIA's BSP.
    pub enum BspError("vendor::bsp") {
        /// A full flash needs the kernel and the initrd, and the BSP lacks one of them.
        NoKernel { path: PathBuf, missing: Vec<String> } => usage "no-kernel":
            ("{}: the BSP has no {}: a full flash needs it", path.display(), missing.join(" and no ")),
            help ("use a whole BSP, or build with --without rootfs: that bundle flashes the secure-os partition alone");
        /// What is given as the BSP has no flash.sh.
        NoBsp { path: PathBuf, mark: &'static str, top: &'static str } => usage "no-bsp":
            ("{}: has no {mark}, neither itself nor in {top}: this is no L4T BSP", path.display()),
            help ("name the folder Linux_for_Tegra of NVIDIA's BSP, or its tarball");
        /// What is given as the BSP does not say which release it is.
        NoRelease { source: Cause } => usage "no-release":
            ("{source}: this is no L4T BSP, or a half-unpacked one"),
            help ("name the folder Linux_for_Tegra of the whole BSP, or NVIDIA's tarball");
        /// A number of the BSP's release is missing.
        NoReleaseNumber { path: PathBuf, name: &'static str } => usage "no-release-number":
            ("{}: no number {name}=…, which each R32 BSP has", path.display()),
            help ("unpack NVIDIA's tarball again, or name the tarball itself");
        /// The BSP is of a newer R32 than is known.
        TooNew { path: PathBuf, release: String } => usage "too-new":
            ("{}: this BSP is L4T {release}, which is newer than R32.7, the last that carveout knows", path.display()),
            help ("use a BSP of L4T R32.6.1 to R32.7.x, best R32.7.6");
        /// The BSP is of an R32 before R32.6.
        TooOld { path: PathBuf, release: String } => usage "too-old":
            (
                "{}: this BSP is L4T {release}: it signs with tegrasign_v2, carveout drives the tegrasign_v3.py of \
                 R32.6.1 and later",
                path.display()
            ),
            help ("use a BSP of L4T R32.6.1 to R32.7.x, best R32.7.6");
        /// The BSP is of R34 or later, whose trusted OS is OP-TEE.
        OpTee { path: PathBuf, release: String } => usage "op-tee":
            ("{}: this BSP is L4T {release}: from R34 on the trusted OS is OP-TEE, not Trusty", path.display()),
            help ("use a BSP of L4T R32.6.1 to R32.7.x, best R32.7.6");
        /// The BSP is of another line than R32.
        NotR32 { path: PathBuf, release: String } => usage "not-r32":
            (
                "{}: this BSP is L4T {release}, not R32: it has no Trusty that carveout knows",
                path.display()
            ),
            help ("use a BSP of L4T R32.6.1 to R32.7.x, best R32.7.6");
        /// The BSP is for other boards than the product's.
        OtherBoards { path: PathBuf, file: String, board: String } => usage "other-boards":
            ("{}: has no {file}: this BSP is for other boards than {board}", path.display()),
            help ("use NVIDIA's BSP that has the board (T186 in NVIDIA's download names is that of Xavier and TX2), or correct the name in the board's file");
        /// The BSP lacks files that a build needs.
        NotWhole { path: PathBuf, missing: Vec<String> } => usage "not-whole":
            ("{}: the BSP is not whole, it lacks\n  {}", path.display(), missing.join("\n  ")),
            help ("unpack NVIDIA's tarball again, or name the tarball itself; correct what the board's file names wrongly");
    }
}

carveout_host::errors! {
    /// What can be wrong with a board's file of NVIDIA's BSP.
    pub enum BoardConfError("vendor::board-conf") {
        /// A board's file of the BSP cannot be read by bash.
        Unreadable { file: String } => usage "unreadable":
            ("{file}, a board file of NVIDIA's BSP: bash cannot read it"),
            help ("unpack NVIDIA's tarball again, or correct your change of the file");
        /// A value of a board's file has more than one line.
        SeveralLines { file: String } => usage "several-lines":
            (
                "{file}, a board file of NVIDIA's BSP: CMDLINE, CMDLINE_ADD, CHIPID, OTA_…_DEVICE or the name of a file have more \
                 than one line"
            ),
            help ("unpack NVIDIA's tarball again, or correct your change of the file");
        /// The command line of a board's file has a character that NVIDIA's script cannot use.
        CommandLine { file: String, command_line: String } => usage "command-line":
            ("{file}, a board file of NVIDIA's BSP: flash.sh can use no | \\ & in the command line: {command_line}"),
            help ("unpack NVIDIA's tarball again, or correct your change of the file");
        /// A file that a board's file names is not within the BSP.
        Outside { file: String, name: String } => usage "outside":
            ("{file}, a board file of NVIDIA's BSP: it names `{name}`, expected a path within the BSP"),
            help ("unpack NVIDIA's tarball again, or correct your change of the file");
        /// The board's file of the BSP names another chip than the board has.
        OtherChip { file: String, chip: String, board: String, soc: String } => usage "other-chip":
            ("{file}: CHIPID is `{chip}`, and board {board} has {soc}"),
            help ("correct l4t.soc or l4t.flash_name in the board's file");
        /// flash.sh would read another boot config or layout than carveout changes.
        OtherConfig { file: String, key: &'static str, value: String, board: String, path: PathBuf } => usage "other-config":
            (
                "{file}, a board file of NVIDIA's BSP: {key} is `{value}`, and the board {board} of carveout has {}: what carveout \
                 writes would not be what is signed",
                path.display()
            ),
            help ("name the file that {file} names in the board's file of carveout, in boot_config.flash if it is another one for flashing, or another flash_name");
        /// The secure-os image of a board's file is not a path within the BSP.
        SecureOsPath { file: String, secure_os: String } => usage "secure-os-path":
            (
                "{file}, a board file of NVIDIA's BSP: TOSFILE is `{secure_os}`, expected a path within the BSP, such \
                 as bootloader/tos_t194.img"
            ),
            help ("unpack NVIDIA's tarball again, or correct your change of the file");
    }
}

carveout_host::errors! {
    /// What can be wrong with NVIDIA's public sources.
    pub enum SourcesError("vendor::sources") {
        /// What is given has no source tree of the name.
        NoTree { path: PathBuf, name: &'static str, tarball: &'static str, mark: &'static str } => usage "no-tree":
            ("{}: has no {name} sources: neither {tarball} nor a tree with {mark}", path.display()),
            help (
                "name NVIDIA's public_sources.tbz2 of the BSP's release, or the folder in which its trusty_src.tbz2 is \
                 unpacked"
            );
        /// A source file does not have the line that must be edited.
        NoLine { path: PathBuf, why: &'static str, line: &'static str } => usage "no-line":
            ("{}: has not the line that must be mended ({why}): {line}", path.display()),
            help ("use the sources of L4T R32.5 to R32.7 as NVIDIA publishes them, or mend the file by hand");
    }
}

carveout_host::errors! {
    /// What can go wrong when NVIDIA's tools and sources are put to work.
    pub enum ToolError("vendor::tools") {
        /// A compiler of the Trusty kernel is missing or does not work.
        NoCompiler { source: Cause } => environment "no-compiler": ("{source}"),
            help ("cargo xtask doctor lists what is missing");
        /// The sources and the folder for intermediate files have no folder in common.
        NoCommonFolder { from: PathBuf, to: PathBuf } => check "no-common-folder":
            ("{} and {} share no folder", from.display(), to.display());
        /// A trusted app in C has the name of a folder of NVIDIA's own trusted apps.
        NameOfNvidia { name: String } => usage "name-of-nvidia":
            ("{name}: NVIDIA's sources have a folder app/{name}: a trusted app in C has another name"),
            help ("rename its folder: the folder's name is the trusted app's");
        /// NVIDIA's makefiles could not build a trusted app in C.
        NotCompiled { name: String, first: String, log: PathBuf } => check "not-compiled":
            ("the trusted app {name} was not built; the first error:\n  | {first}\n  full log: {}", log.display());
        /// NVIDIA's flash tools do not run on this host.
        NotX86 => environment "not-x86":
            ("NVIDIA's flash tools are 32-bit x86 programs, which do not run on this host"),
            help ("build on an x86-64 host whose kernel runs 32-bit programs");
        /// NVIDIA's scripts have ended, and a file that they must make is not there.
        NothingMade { how: &'static str, made: PathBuf, says: String, log: PathBuf } => check "nothing-made":
            (
                "NVIDIA's scripts {how}, but made no {}; the first error that they told:\n{says}\n  full log: {}",
                made.display(),
                log.display()
            );
    }
}

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    VendorError::CATALOG,
    BspError::CATALOG,
    BoardConfError::CATALOG,
    SourcesError::CATALOG,
    ToolError::CATALOG,
];
