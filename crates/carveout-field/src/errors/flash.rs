//! What a flash is asked for, and what is recorded of it.

use carveout_host::error::Cause;
use carveout_host::size::human;

carveout_host::errors! {
    /// What can go wrong with what a flash is asked for, and with its record.
    pub enum FlashError("field::flash") {
        /// The device that is to be flashed is neither usb nor virt:FILE.
        UnknownDevice { device: String } => usage "unknown-device": ("--to {device}: unknown device"),
            help ("boards in recovery mode are --to usb, SD cards --to card:DISK or card:FILE, virt devices --to virt:FILE");
        /// The device that is to go back to its previous bundle is not a virt device.
        NoRollback { device: String } => usage "no-rollback": ("{device}: unknown device"), help (
            "virt devices are virt:FILE; a Jetson has no second slot of its boot config: flash the older bundle with \
             --scope full"
        );
        /// Boards, cards and virt devices were named in one command.
        SeveralKinds => usage "several-kinds": ("--to names devices of several kinds in one call: usb, card: and virt:"),
            help ("call it once for each kind");
        /// An option for boards was given with a virt device.
        ForBoards { option: &'static str } => usage "option-for-boards":
            ("{option} is for boards, not for virt devices"),
            help ("leave it out");
        /// What `--ekb` names is no content of the partition eks.
        NoEkb { path: std::path::PathBuf } => usage "no-ekb":
            ("--ekb {}: is no signed file of NVIDIA's, as the partition eks has it", path.display()),
            help ("say keep, replace, or the file that a failed flash has named");
        /// The EKB is written by a full flash alone.
        EkbNeedsFull { scope: String } => usage "ekb-needs-full": ("--ekb is for --scope full: scope {scope} leaves the EKB alone"),
            help ("leave it out");
        /// The option --from was given with another scope than auto.
        FromWithScope => usage "from-with-scope": ("--from is for --scope auto: it tells what differs"),
            help ("leave one of both out");
        /// The scope auto was asked for boards without the option --from.
        AutoWithoutFrom => usage "auto-without-from":
            ("--scope auto for boards needs --from OLD: they do not tell what they have"),
            help (
                "name the bundle that the boards have got last, or take --scope full; of a board that runs, \
                 status --to ssh:HOST tells it"
            );
        /// The option --app was given with the scope auto, and what differs is written without a root filesystem.
        AppWithAuto { scope: &'static str } => usage "app-with-auto":
            ("--app with --scope auto: what differs needs scope {scope}, which writes no root filesystem"),
            help ("leave --app out, or take --scope full or app");
        /// The option --app was given with the scope secure-os.
        AppWithSecureOs => usage "app-with-secure-os":
            ("--app with --scope secure-os: that writes no root filesystem"),
            help ("leave --app out, or take --scope full or app");
        /// The option --keep-app was given with another scope than full or auto.
        KeepAppWithScope { scope: String } => usage "keep-app-with-scope":
            ("--keep-app with --scope {scope}: only a full flash writes APP besides"),
            help ("leave --keep-app out: scope secure-os does not touch the root filesystem");
        /// The board has two root filesystems, of which --keep-app would keep one.
        KeepAppOfTwo { board: String } => usage "keep-app-of-two":
            ("--keep-app: board {board} has two root filesystems, APP and APP_b, of which it would keep one"),
            help ("read APP with `backup`, and flash with --app FILE, which goes to both");
        /// Secure-os alone is to be written to boards whose boot config is encrypted.
        CarveOutUnseen { carve_out: u64 } => usage "carve-out-unseen": (
            "--scope secure-os: the boot config of a board with an SBK is encrypted, so its carve-out cannot be \
             compared with the {carve_out} of this bundle",
            carve_out = human(*carve_out)
        ), help (
            "use --scope full; or, if the last full flash of the board had the same carve-out, add --carve-out-unseen"
        );
        /// The name behind ssh: cannot be that of a host.
        NoHost { host: String } => usage "no-host": ("ssh:{host}: is no name of a host"),
            help ("name it as ssh does: ssh:HOST or ssh:USER@HOST");
        /// A device that ssh was to reach did not answer in time.
        HostSilent { host: String, seconds: u64 } => environment "host-silent":
            ("{host}: has not answered within {seconds} s"),
            help ("see whether it runs, and whether `ssh {host} true` works", host = host);
        /// What ssh brought is no status, or ssh has failed.
        NotToldByHost { host: String, exit_code: Option<i32>, last: String } => environment "not-told-by-host": (
            "{host}: ssh brought no status{}; it said last: {last}",
            exit_code.map(|code| format!(" and ended with exit code {code}")).unwrap_or_default()
        ), help (
            "`ssh {host} true` must work without a password; a user that is not root needs sudo without one there",
            host = host
        );
        /// The device has neither carveout-update nor a root filesystem that says which bundle it came with.
        NothingThere { device: String } => check "nothing-there": (
            "{device}: has neither carveout-update nor {}, so it does not tell what it has",
            bundle::IDENTITY_FILE
        ), help ("flash it with a bundle that this carveout has made, and name carveout-update in its client_apps");
        /// carveout-update on the device could not tell.
        Refused { device: String, message: String } => check "refused": ("{device}: {message}");
        /// A board in recovery mode was to tell what it has, without a bundle whose tools could ask it.
        StatusWithoutBundle => usage "status-without-bundle":
            ("--to usb needs --bundle: NVIDIA's tools in a bundle talk to the board"),
            help ("name any bundle for this board");
        /// A card was to tell of which bundle it is, without one to compare it with.
        CardWithoutBundle => usage "card-without-bundle": ("--to card: needs --bundle: the card is compared with it"),
            help ("name the bundle that its board has got");
        /// The work on one of several devices crashed, which is a bug of carveout.
        Panicked => check "panicked": ("a device's thread has panicked: please report this");
        /// The record of a flash cannot be written as JSON.
        RecordNotEncoded { source: Cause } => check "record-not-encoded": ("{source}");
    }
}
