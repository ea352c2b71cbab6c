//! Boards in recovery mode.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with boards in recovery mode.
    pub enum BoardError("field::board") {
        /// No board in recovery mode is at the USB place that was named.
        NotAtPlace { name: String, usb: String, how: String, instance: String, boards: Vec<String> } => environment "not-at-place": (
            "no {name} in recovery mode (0955:{usb}) at USB {instance}; at this host: {boards}",
            boards = if boards.is_empty() { "none".into() } else { boards.join(", ") }
        ), help ("{}", into_recovery(how, usb));
        /// No board in recovery mode is at this host.
        NoBoard { name: String, usb: String, how: String } => environment "no-board":
            ("no {name} in recovery mode (0955:{usb}) at this host"), help ("{}", into_recovery(how, usb));
        /// No board in recovery mode is at this host, but another device of NVIDIA's is.
        OtherDevice { name: String, usb: String, how: String, instance: String, device: &'static str } => environment "other-device":
            ("no {name} in recovery mode (0955:{usb}) at this host; at USB {instance} is {device}"),
            help ("{}", into_recovery(how, usb));
        /// The user may not write to a board in recovery mode.
        NoAccess { instance: String, path: PathBuf } => environment "no-access":
            ("the board at USB {instance} cannot be reached: {path}: permission denied", path = path.display()),
            help ("run the command as root: sudo -E");
        /// Several boards in recovery mode are at this host, and the command is for one.
        Several { boards: Vec<String> } => usage "several-boards":
            ("{count} boards are there: {boards}", count = boards.len(), boards = boards.join(", ")),
            help ("name one with --instance");
        /// A board that was told to restart into recovery mode is not there again in time.
        NotBack { instance: String, seconds: u64 } => environment "not-back":
            ("the board at USB {instance} did not come back within {seconds} s"),
            help ("check cable and power; then bring it into recovery mode again");
        /// A flash tool of NVIDIA's cannot be started.
        ToolNotStarted { program: PathBuf, source: io::Error } => environment "tool-not-started":
            ("{program}: cannot start: {source}", program = program.display()),
            help ("NVIDIA's flash tools need an x86-64 host whose kernel runs 32-bit programs");
        /// A flash tool of NVIDIA's ran longer than the bytes it writes or reads allow, and was stopped.
        ToolTimedOut { command: String, seconds: u64, last: String, log: PathBuf } => check "tool-timed-out":
            ("{command}: gave no end within {seconds} s: {last}\n  full log: {log}", log = log.display());
        /// A flash tool of NVIDIA's ended with exit code 0, but printed an error.
        ToolPrintedError { command: String, last: String, log: PathBuf } => check "tool-printed-error":
            ("{command}: ended with success, but says otherwise: {last}\n  full log: {log}", log = log.display());
        /// A flash tool of NVIDIA's failed.
        ToolFailed { command: String, exit_code: i32, last: String, log: PathBuf } => check "tool-failed":
            ("{command}: exit code {exit_code}: {last}\n  full log: {log}", log = log.display());
        /// A flash tool of NVIDIA's was ended by a signal.
        ToolKilled { command: String, last: String, log: PathBuf } => check "tool-killed":
            ("{command}: was ended by a signal: {last}\n  full log: {log}", log = log.display());
        /// The boot ROM of the board did not say which chip it is.
        ChipUnknown { source: Cause } => check "chip-unknown": ("{source}"),
            help ("bring the board into recovery mode again: its boot ROM answers once");
        /// The read of the EEPROM of the module succeeded, but returned nothing.
        EepromNotRead => check "eeprom-not-read":
            ("reading the module's EEPROM ended with success, but nothing was read");
        /// All bytes of the EEPROM of the module are the same.
        EepromBlank { source: Cause } => check "eeprom-blank": ("{source}, and it is not guessed"), help (
            "nothing has been written; have the module's EEPROM written again by its vendor. NVIDIA's own flash.sh \
             takes BOARDID, FAB, BOARDSKU and BOARDREV from the environment in such a case"
        );
        /// The EEPROM of the module has a wrong checksum.
        EepromDamaged { source: Cause } => check "eeprom-damaged": ("{source}, and it is not guessed"), help (
            "nothing has been written; have the module's EEPROM written again by its vendor. NVIDIA's own flash.sh \
             takes BOARDID, FAB, BOARDSKU and BOARDREV from the environment in such a case"
        );
        /// The EEPROM of the module has no board number, SKU or FAB.
        EepromWithoutModule { modules: Vec<String> } => check "eeprom-without-module":
            ("the module's EEPROM is blank: which module it is cannot be known, and is not guessed"),
            help ("nothing has been written; this bundle is for {modules}", modules = modules.join(", "));
        /// The board number, SKU, FAB or revision in the EEPROM of the module has a form that NVIDIA does not use.
        EepromBadModule { source: Cause, modules: Vec<String> } => check "eeprom-bad-module":
            ("the board's EEPROM: {source}"),
            help ("nothing has been written; this bundle is for {modules}", modules = modules.join(", "));
        /// The board has another SoC than the bundle is for.
        OtherSoc { found: String, expected: String, board: String } => check "other-soc":
            ("the board's chip is a {found}, the bundle is for {board}, which has a {expected}"),
            help ("nothing has been written; take a bundle for this board");
        /// The chip of the board is of another revision than the bundle is for.
        OtherRevision { revision: u8, expected: u8, modules: Vec<String> } => check "other-chip-revision":
            ("the chip is of revision {revision}, the bundle's files are for revision {expected}"),
            help ("nothing has been written; this bundle is for {modules}", modules = modules.join(", "));
        /// The fuses of the chip need a bundle that is signed with other keys.
        OtherFuses { fuses: String, wants: &'static str, signed: &'static str, modules: Vec<String> }
            => check "other-fuses":
            ("the chip's fuses ({fuses}) want a bundle signed with {wants}, this one is signed with {signed}"),
            help ("nothing has been written; this bundle is for {modules}", modules = modules.join(", "));
        /// The module of the board is not one that the bundle is for.
        OtherModule { board: String, name: Option<&'static str>, modules: Vec<String> } => check "other-module":
            ("the board is {board}{}, which this bundle is not for", in_brackets(*name)),
            help ("nothing has been written; this bundle is for {modules}", modules = modules.join(", "));
        /// The read of a partition succeeded, but returned nothing.
        NothingRead { partition: String } => check "nothing-read":
            ("reading {partition} ended with success, but nothing was read");
        /// A partition does not hold what was written to it.
        ReadBackDiffers { partition: String } => check "read-back-differs":
            ("partition {partition} reads back other than it was written"),
            help ("flash again; if it happens again, the board's eMMC or the cable is bad");
        /// The security version of the bundle is smaller than one that this host has flashed to the board.
        Downgrade { bundle: String, had: u32, has: u32 } => check "downgrade": (
            "the board has had security version {had}, {bundle} has {has}: it may have holes that newer ones have \
             closed"
        ), help (
            "nothing has been written; flash a newer release; --allow-downgrade goes back all the same, which is for \
             the desk"
        );
        /// Secure-os alone is to be written, and the carve-out of the board is not that of the bundle.
        OtherCarveOut { size: u64, alignment: u64, bundle_size: u64, bundle_alignment: u64 }
            => check "other-carve-out": (
            "the board's boot config has a carve-out of {size} bytes aligned to {alignment}, this bundle was made for \
             {bundle_size} and {bundle_alignment}: secure-os alone would leave it so"
        ), help (
            "nothing has been written; a carve-out changes by a full flash alone: --scope full, with --keep-app to \
             keep the root filesystem"
        );
        /// Secure-os alone is to be written, and the boot config of the board cannot be read.
        CarveOutUnknown => check "carve-out-unknown":
            ("the board has no boot config that can be read: its carve-out is not known"),
            help ("nothing has been written; flash with --scope full");
        /// The partition APP of the board has another size than in the bundle's layout.
        OtherAppSize { length: u64, size: u64 } => check "other-app-size":
            ("the board's APP has {length} bytes, this bundle's layout {size}: it would not fit back"),
            help (
                "nothing has been written to the board; build a bundle whose rootfs.size, or l4t.app_size without a \
                 root filesystem, is 0x{length:x}"
            );
        /// The partition APP of the board begins with nothing but zeros.
        AppEmpty => check "app-empty": ("what was read of APP is all zeros: that is no root filesystem"),
            help ("nothing has been written to the board; flash without --keep-app if there is none to keep");
        /// A backup or restore of a board ended without a result, which is a bug of carveout.
        NoResult => check "no-result": ("the board's work ended without a result");
    }
}

fn into_recovery(how: &str, usb: &str) -> String {
    let how = if how.is_empty() { "bring the board into recovery mode" } else { how };
    format!("{how}, and look for 0955:{usb} in lsusb")
}

fn in_brackets(name: Option<&str>) -> String {
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}
