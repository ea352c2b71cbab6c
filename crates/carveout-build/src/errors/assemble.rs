//! Of parts that another build system has made.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong when a bundle is written of given parts.
    pub enum AssembleError("build::assemble") {
        /// The parts file is not JSON, or does not hold what a parts file must hold.
        PartsFile { path: PathBuf, source: Cause } => usage "wrong-parts-file": ("{}: {source}", path.display()),
            help ("docs/yocto.md tells what a parts file holds; the class carveout_bundle writes one");
        /// A file that must be text is not in UTF-8.
        NotText { path: PathBuf } => usage "not-utf8": ("{}: is no UTF-8 text", path.display());
        /// The name, the version or the board in the parts file has characters that are not allowed, or is too long.
        BadName { path: PathBuf, key: &'static str, value: String, allowed: &'static str } => usage "wrong-name":
            ("{}: {key}: `{}`: letters, digits and {allowed} are allowed, 64 characters at most",
            path.display(), value.escape_debug());
        /// The name of a trusted app in the parts file has characters that are not allowed, or is too long.
        BadAppName { path: PathBuf, name: String } => usage "wrong-app-name":
            ("{}: trusted_apps: `{}` is no name", path.display(), name.escape_debug());
        /// The digest of the config in the parts file is not a SHA-256.
        ConfigDigest { path: PathBuf } => usage "wrong-config-digest":
            ("{}: inputs.config: expected a SHA-256, 64 hexadecimal digits", path.display());
        /// The parts file does not name two boot config files of different names.
        BootConfig { path: PathBuf } => usage "wrong-boot-config":
            ("{}: boot_config: expected two files of different names", path.display());
        /// The size or the alignment of the carve-out in the parts file is not a number of bytes.
        BadSize { path: PathBuf, why: String } => usage "wrong-size": ("{}: tzdram: {why}", path.display());
        /// No board can have a carve-out of the size and alignment in the parts file.
        CarveOut { path: PathBuf, source: Cause } => usage "impossible-carve-out":
            ("{}: tzdram: {source}", path.display());
        /// The carve-out that boot configs are to get is none that a board can have.
        NoCarveOut { source: Cause } => usage "wrong-carve-out": ("{source}");
        /// None of the given misc boot configs has a carve-out.
        NoBootConfig { count: usize } => check "no-boot-config":
            ("none of {count} misc boot configs has a carve-out"),
            help ("give those of Tegra194: tegra194-mb1-bct-misc-*.cfg");
        /// The update payload of meta-tegra is none.
        UpdatePayload { path: PathBuf, source: Cause } => check "unreadable-update-payload":
            ("{}: {source}", path.display()),
            help ("name what meta-tegra's class bup-payload has made: INITRAMFS_IMAGE-MACHINE.bup-payload");
        /// The given secure-os image cannot be read.
        SecureOs { path: PathBuf, source: Cause } => check "unreadable-secure-os":
            ("{}: {source}", path.display());
        /// The path of a file in the flash package is absolute, or leads out of the package.
        MemberOutside { path: PathBuf, member: String } => check "member-outside-package":
            ("{}: member `{}` leads out of the flash package", path.display(), member.escape_debug());
        /// The flash package holds something other than files, folders and links.
        MemberKind { path: PathBuf, member: String } => check "member-of-other-kind":
            ("{}: member `{}` is no file, folder or link", path.display(), member.escape_debug());
        /// A link in the flash package leads to no file of the package.
        DeadLink { path: PathBuf, member: String, target: String } => check "dead-link":
            ("{}: link `{}` leads to `{}`, which is no file of it",
            path.display(), member.escape_debug(), target.escape_debug());
        /// The flash package has no partition layout.
        NoLayout { path: PathBuf } => check "no-layout": ("{}: has no flash.xml.in", path.display()),
            help ("it must be meta-tegra's: IMAGE_FSTYPES has tegraflash, MACHINE is jetson-agx-xavier-devkit");
    }
}

carveout_host::errors! {
    /// What can go wrong with the ELF file of a trusted app.
    pub enum TrustedAppError("build::trusted-app") {
        /// The ELF file cannot be read, so that its debug information cannot be removed.
        NotStripped { path: PathBuf, source: Cause } => check "debug-info-not-removed":
            ("{}: {source}", path.display());
        /// The heap or the stack cannot be set in the manifest of the trusted app.
        SizesNotSet { path: PathBuf, source: Cause } => check "sizes-not-set": ("{}: {source}", path.display());
        /// What the rules.mk of a trusted app in C builds is no trusted app that Trusty loads.
        NoAppInC { folder: PathBuf, why: String } => check "no-app-in-c":
            ("{}: what its rules.mk builds is no trusted app that Trusty loads: {why}", folder.display()),
            help ("its MODULE_SRCS need a manifest.c, with a trusty_app_manifest_t in the section .trusty_app.manifest; docs/writing-a-trusted-app.md");
        /// The Cargo.toml does not declare the trusted app as it must.
        Declaration { path: PathBuf, source: Cause } => usage "wrong-declaration":
            ("{}: {source}", path.display());
        /// The ELF file has another UUID than its Cargo.toml declares.
        OtherUuid { elf: PathBuf, uuid: String, declared: PathBuf, declared_uuid: String } => check "other-uuid":
            ("{}: has UUID {uuid}, {} declares {declared_uuid}", elf.display(), declared.display()),
            help ("build it anew: is it the package's own?");
        /// The heap or the stack on the command line is larger than 32 bits hold.
        SizeTooLarge { option: &'static str } => usage "size-too-large": ("{option}: larger than 32 bits hold");
    }
}
