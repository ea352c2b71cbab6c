//! What explains faults.

/// What explains a fault: names and ELF files.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// Trusted apps.
    pub apps: Vec<KnownApp>,
    /// lk.elf, if it is known.
    pub kernel: Option<Vec<u8>>,
}

/// What is known of a trusted app.
#[derive(Clone, Debug)]
pub struct KnownApp {
    /// Its name.
    pub name: String,
    /// Its UUID.
    pub uuid: uuid::Uuid,
    /// Its ELF file.
    pub elf: Vec<u8>,
    /// The same with its debug information, if it is there.
    pub debug: Option<Vec<u8>>,
    /// Ports that it declares.
    pub ports: Vec<String>,
}

/// Why a name, or none, means no trusted app. All names that there are come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOne {
    /// None is named, and there are several, or none.
    Unnamed(String),
    /// No trusted app has this name.
    Unknown(String, String),
}

/// The trusted app of a name; without one, the only one.
pub fn the_one<'a>(apps: &'a [KnownApp], name: Option<&str>) -> Result<&'a KnownApp, NotOne> {
    let known = || apps.iter().map(|app| app.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, apps) {
        (None, [app]) => Ok(app),
        (None, _) => Err(NotOne::Unnamed(known())),
        (Some(name), _) => {
            let found = apps.iter().find(|app| app.name == name);
            found.ok_or_else(|| NotOne::Unknown(name.to_owned(), known()))
        }
    }
}

impl Symbols {
    /// Names of the kernel's addresses, as far as they are known.
    pub fn of_kernel(&self) -> trusty_fault::Symbols {
        self.kernel.as_deref().map(trusty_fault::Symbols::read).unwrap_or_default()
    }
}
