//! What a test cannot run of the guides, and what it must put in for a reader's own names.

/// Programs that begin a command of a guide, where a block of it does.
pub const PROGRAMS: [&str; 17] = [
    "$EDITOR",
    "(umask",
    "./carveout",
    "cargo",
    "cd",
    "chmod",
    "cp",
    "echo-srv-app",
    "find",
    "git",
    "jq",
    "minisign",
    "rustup",
    "sed",
    "sstate-cache-management.sh",
    "sudo",
    "useradd",
];

/// The guides, in an order in which one can follow them: a release needs a clean work tree.
pub const GUIDES: [&str; 20] = [
    "docs/releases.md",
    "docs/field-flashing.md",
    "README.md",
    "docs/first-image.md",
    "docs/the-carve-out.md",
    "docs/writing-a-trusted-app.md",
    "docs/desk.md",
    "docs/keys.md",
    "docs/linux.md",
    "docs/updates.md",
    "docs/jetson.md",
    "docs/yocto.md",
    "docs/yocto-at-scale.md",
    "docs/when-a-flash-fails.md",
    "docs/big-messages.md",
    "docs/root-filesystem.md",
    "docs/reliability.md",
    "docs/product.md",
    "docs/limits.md",
    "docs/comparison.md",
];

/// Why a command is not run. All of `cargo xtask` are parsed all the same.
const NVIDIA: &str = "needs NVIDIA's BSP and sources, or a bundle made of them";
const BOARD: &str = "needs a board in recovery mode";
const RUNNING: &str = "needs a device that runs";
const ON_BOARD: &str = "runs on a board";
const BITBAKE: &str = "needs BitBake and its layers";
const NETWORK: &str = "needs a server of somebody else's";
const BOOTS: &str = "boots all of a system, which builds::linux does";
const COMPILES: &str = "compiles carveout again, for minutes";

/// Commands that are not run: the guide, how the command begins, the reason.
pub const EXCEPTIONS: [(&str, &str, &str); 42] = [
    ("README.md", "cargo xtask test", "runs this test"),
    ("README.md", "cd ../door-lock", "leaves the clone"),
    ("README.md", "cargo xtask run -- hello", COMPILES),
    ("README.md", "cargo install --path crates/carveout", COMPILES),
    ("docs/first-image.md", "git clone URL", "the test works in a clone"),
    ("docs/writing-a-trusted-app.md", "cargo xtask run", "waits for a debugger"),
    ("docs/desk.md", "cargo xtask emulate BUNDLE -- --self-test", NVIDIA),
    ("docs/desk.md", "cargo xtask emulate BUNDLE --ipc-unittest", NVIDIA),
    ("docs/desk.md", "cargo xtask emulate BUNDLE --ekb", NVIDIA),
    ("docs/keys.md", "cargo xtask emulate BUNDLE --ekb", NVIDIA),
    ("docs/desk.md", "cargo xtask emulate BUNDLE", "waits for clients until Ctrl-C"),
    ("docs/desk.md", "cargo xtask emulate tos-trusty_t194.img", NVIDIA),
    ("docs/linux.md", "cargo xtask emulate $B --linux --wait-for running", BOOTS),
    ("docs/linux.md", "cargo xtask emulate virt:device.img --linux --persist", BOOTS),
    ("docs/linux.md", "cargo xtask emulate virt:device.img --linux -- cat", BOOTS),
    ("docs/updates.md", "cargo xtask emulate virt:device.img --linux --persist", BOOTS),
    ("docs/updates.md", "cargo xtask status --to ssh:", RUNNING),
    ("docs/updates.md", "cargo xtask status --to usb", BOARD),
    ("docs/jetson.md", "cargo xtask image --board jetson-agx-xavier", NVIDIA),
    ("docs/jetson.md", "cargo xtask inspect Linux_for_Tegra", NVIDIA),
    ("docs/jetson.md", "cargo xtask inspect BUNDLE", NVIDIA),
    ("docs/jetson.md", "cargo xtask inspect bootloader/", NVIDIA),
    ("docs/jetson.md", "cargo xtask inspect user_tasks.bin", NVIDIA),
    ("docs/jetson.md", "cargo xtask emulate BUNDLE", NVIDIA),
    ("docs/jetson.md", "cargo xtask flash BUNDLE --to usb", BOARD),
    ("docs/jetson.md", "cargo xtask flash BUNDLE --to card:", BOARD),
    ("docs/jetson.md", "cargo xtask status --to card:", BOARD),
    ("docs/jetson.md", "cargo xtask image -c configs/jetson-tx2.yaml", NVIDIA),
    ("docs/jetson.md", "cargo xtask image -c configs/jetson-xavier-nx-devkit.yaml", NVIDIA),
    ("docs/jetson.md", "cargo nextest run", NVIDIA),
    ("docs/jetson.md", "cargo xtask backup BUNDLE", BOARD),
    ("docs/jetson.md", "cargo xtask restore BUNDLE", BOARD),
    ("docs/jetson.md", "echo-srv-app --self-test", ON_BOARD),
    ("docs/releases.md", "cargo xtask flash --channel https://", NETWORK),
    ("docs/field-flashing.md", "sudo -E ./carveout flash", BOARD),
    ("docs/field-flashing.md", "chmod +x carveout", "is of a release's folder"),
    ("docs/yocto.md", "cargo xtask image --engine bitbake", BITBAKE),
    ("docs/yocto.md", "useradd --create-home builder", "changes this host"),
    ("docs/yocto.md", "cargo xtask yocto --layers DIR", BITBAKE),
    ("docs/yocto-at-scale.md", "cargo xtask yocto --serve", BITBAKE),
    ("docs/yocto-at-scale.md", "sstate-cache-management.sh", BITBAKE),
    ("docs/yocto-at-scale.md", "find /…/target", BITBAKE),
];

/// A release's bundle and folder, in the clone.
pub const RELEASE: &str = "target/releases/desk-0.1.0-virt-tzdram32M";
const ARCHIVE: &str = "target/releases/desk-0.1.0-virt-tzdram32M/desk-0.1.0-virt-tzdram32M.tar.zst";

/// Names that a reader puts in for a guide's: the guide, its name, the test's.
pub const NAMES: [(&str, &str, &str); 6] = [
    ("docs/releases.md", "verify desk-0.1.0-virt-tzdram32M.tar.zst", VERIFY),
    ("docs/releases.md", "OLD.tar.zst", ARCHIVE),
    ("docs/releases.md", "NEW.tar.zst", ARCHIVE),
    ("docs/releases.md", "--keep 5", "--keep 5 --program ../carveout"),
    ("docs/field-flashing.md", "NAME.tar.zst", ARCHIVE),
    // A release's own program, which xtask stands for.
    ("docs/field-flashing.md", "./carveout", "cargo xtask"),
];

const VERIFY: &str = "verify target/releases/desk-0.1.0-virt-tzdram32M/desk-0.1.0-virt-tzdram32M.tar.zst";

/// Commands that fail in a guide, as it says: the beginning, the exit code.
pub const FAIL: [(&str, i32); 2] = [
    ("cargo xtask emulate $B -- --ta small-echo-srv --count 64000", 1),
    ("cargo xtask emulate target/bundles/forum-0.1.0-virt-tzdram16M -- --ta unchecked-srv", 1),
];

/// What a reader has done before a command, by the guide's own words: the beginning, the command before it.
pub const BEFORE: [(&str, &str); 3] = [
    // Of boards that were flashed; a virt device leaves the same record.
    (
        "jq -r",
        "cargo xtask flash target/releases/desk-0.1.0-virt-tzdram32M/desk-0.1.0-virt-tzdram32M.tar.zst --to virt:one.img",
    ),
    // "in the folder that it came in", with the key that "came to you by another way".
    ("minisign -V -p release.key.pub", "cp release.key.pub target/releases/desk-0.1.0-virt-tzdram32M/"),
    // "back to the bundle before": there is one.
    (
        "./carveout rollback virt:one.img",
        "cargo xtask flash target/releases/desk-0.1.0-virt-tzdram32M/desk-0.1.0-virt-tzdram32M.tar.zst --to virt:one.img --scope full --keep-app",
    ),
];

/// Commands that a reader runs elsewhere than at the top of the clone.
pub const ELSEWHERE: [(&str, &str); 1] = [("minisign -V -p release.key.pub", RELEASE)];
