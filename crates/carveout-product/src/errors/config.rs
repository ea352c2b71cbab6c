//! Errors of configs as such, and of boards.

use super::suggestion::did_you_mean;
use carveout_host::error::Cause;
use carveout_host::size::human;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can be wrong with a product config or a board's file.
    pub enum ConfigError("product::config") {
        /// The product config cannot be read.
        Unreadable { source: Cause } => usage "unreadable": ("{source}"),
            help ("name a product config with -c FILE; configs/desk.yaml is the default one");
        /// The product config or the board's file is not UTF-8 text.
        NotUtf8 { path: PathBuf, source: Cause } => usage "not-utf-8": ("{}: no UTF-8 text: {source}", path.display());
        /// The file is larger than any config is.
        TooLarge { bytes: usize, most: u64 } => usage "too-large": ("{bytes} bytes: at most {most} are read");
        /// The file has more opening braces and brackets than any config needs.
        TooManyBrackets { most: usize } => usage "too-many-brackets":
            ("more than {most} `{{` and `[`, those in quotes and comments included, in the file: write fewer");
        /// The file has more YAML aliases than any config needs.
        TooManyAliases { most: usize } => usage "too-many-aliases":
            ("more than {most} aliases (`*name`) in the file: write fewer");
        /// A key is not one of those that are allowed at its place.
        UnknownKey { source: Cause, meant: Option<String> }
            => usage "unknown-key": ("{source}{}{}", dot(meant.as_deref()), did_you_mean(meant.as_deref()));
        /// A value is not one of the words that are allowed at its place.
        UnknownValue { source: Cause, meant: Option<String> }
            => usage "unknown-value": ("{source}{}{}", dot(meant.as_deref()), did_you_mean(meant.as_deref()));
        /// A key that must be there is not.
        MissingKey { source: Cause } => usage "missing-key": ("{source}");
        /// A key is written twice.
        DuplicateKey { source: Cause } => usage "duplicate-key": ("{source}");
        /// The file has a second YAML document.
        TwoDocuments => usage "two-documents": ("a second YAML document begins: a config is one");
        /// A value is of another type than is expected, such as a word instead of a list.
        WrongType { source: Cause } => usage "wrong-type": ("{source}");
        /// The file is not correct YAML, or one of its values cannot be read.
        Malformed { source: Cause } => usage "malformed": ("{source}");
        /// A name or version has a character that is not allowed, or is too long.
        NotAName { value: String, allowed: &'static str } => usage "not-a-name":
            ("`{value}`: letters, digits and {allowed} are allowed, 64 characters at most");
        /// A size is not a number with a unit.
        NotASize { source: Cause } => usage "not-a-size": ("{source}");
        /// The alignment of the carve-out is not a power of two, too small or too large.
        ImpossibleAlignment { source: Cause } => usage "impossible-alignment": ("{source}");
        /// The carve-out is too small or too large to boot.
        CarveOutOutOfRange { source: Cause } => usage "carve-out-out-of-range": ("{source}");
        /// The size of the carve-out is not a multiple of its alignment.
        CarveOutUnaligned { source: Cause } => usage "carve-out-unaligned": ("{source}");
        /// The size of a filesystem's image is too small or too large, or not in whole blocks.
        ImageSizeOutOfRange { bytes: u64, least: u64, most: u64 } => usage "image-size-out-of-range":
            ("{bytes} bytes; allowed are {} to {}, a multiple of 4096", human(*least), human(*most));
        /// A file that the config names cannot be opened.
        FileUnreadable { source: Cause } => usage "file-unreadable": ("{source}");
        /// The self-test has an empty program, or a word with a NUL.
        BadSelfTest => usage "bad-self-test": ("a self-test is a program and its arguments, no word with a NUL"),
            help ("write self_test: [echo-srv-app, --self-test]");
        /// The changelog that the config names is not a file.
        NoChangelog { file: PathBuf } => usage "no-changelog":
            ("{} is no file (paths are relative to the config file)", file.display());
        /// A package of the workspace or a module is listed twice.
        ListedTwice { name: String } => usage "listed-twice": ("{name} is listed twice");
    }
}

fn dot(meant: Option<&str>) -> &'static str {
    if meant.is_some() { "." } else { "" }
}

carveout_host::errors! {
    /// What can be wrong with a board.
    pub enum BoardError("product::board") {
        /// No board has the name.
        UnknownBoard { name: String, known: Vec<String>, meant: Option<String> } => usage "unknown-board":
            ("unknown board `{name}`: configs/boards has {}.{}", known.join(", "), did_you_mean(meant.as_deref()));
        /// The name in a board's file is not the file's own.
        OtherName { name: String, expected: String } => usage "other-name":
            ("`{name}`, expected `{expected}` as the file is called");
        /// A board extends one that extends another, and so on.
        ExtendsTooMany { most: usize } => usage "extends-too-many":
            ("a board, and those that it extends, have {most} files at most: does it extend itself?");
        /// Neither a board's file nor those of the boards that it extends say what a board has.
        Lacks => usage "lacks": ("it is missing, and the file extends no board that has it");
        /// A path of a board with L4T does not lead into the BSP.
        NotInBsp { value: String } => usage "not-in-bsp":
            ("`{value}`: a path below the BSP's Linux_for_Tegra is allowed, without . and ..");
        /// The list of modules is empty.
        NoModules => usage "no-modules": ("expected at least one module"),
            help ("leave l4t.modules out, if the board that is extended has them");
        /// A module is called as what lies beside the folders of modules.
        ReservedName { name: &'static str } => usage "reserved-name":
            ("a bundle has `{name}` beside the folders of its modules: choose another name");
        /// Two modules of a board may be the same one.
        ModulesMeet { first: String, second: String } => usage "modules-meet":
            ("a board may be module {first} and module {second}, so it would be chance what it gets"),
            help ("make their id, fits.sku, fits.fabs or fits.revisions such that no fab and revision is of both");
        /// The address of a download is not one.
        NotAUrl { value: String } => usage "not-a-url":
            ("`{value}`: an address that begins with https://, http:// or file:/// is allowed, without a user");
        /// The digest of a download is not one.
        NotASha256 { value: String } => usage "not-a-sha256":
            ("`{value}`: 64 digits and letters from a to f are allowed, as sha256sum prints them");
        /// What a board's file says of recovery mode is not one line of text.
        NotALine { value: String } => usage "not-a-line": ("`{value}`: one line of text is allowed");
        /// The USB product id in a board's file is not one.
        NotAUsbProduct { value: String } => usage "not-a-usb-product":
            ("`{value}`: four digits or letters from a to f are allowed, as lsusb prints it behind 0955:");
        /// What update payloads are to call a module is of another one, or not of the form.
        OtherSpec { spec: String } => usage "other-spec":
            ("`{spec}`, expected number, fab, SKU and revision of the module with dashes between, such as 2888-400-0004-");
        /// Two parts of an update payload would have one name.
        SpecTwice { spec: String } => usage "spec-twice": ("{spec} is listed twice");
        /// A board's file cannot be read.
        Unreadable { source: Cause } => usage "unreadable": ("{source}"),
            help ("mend or remove the file: all of configs/boards/*.yaml are boards");
        /// What an update payload is to call a module is longer than it can be.
        LongSpec { spec: String, most: usize } => usage "long-spec":
            ("an update payload would call a module {spec}, which is longer than {most} bytes");
        /// Two modules of a board have one name.
        ModuleTwice { name: String } => usage "module-twice": ("two modules are called {name}");
        /// The identity of a module in a board's file is impossible.
        WrongModule { module: String, source: Cause } => usage "wrong-module": ("module {module}: {source}");
        /// The two boot configs of a board have the same file name.
        SameBootConfigs => usage "same-boot-configs": ("both boot configs have one file name: they must differ"),
            help ("leave boot_config.flash out, if one file serves for both");
        /// The command needs NVIDIA's L4T, and the product's board has none.
        NoL4t { board: String } => usage "no-l4t":
            ("board {board} has nothing of NVIDIA's L4T: choose another with --board");
    }
}
