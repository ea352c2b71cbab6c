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

impl Symbols {
    /// Names of the kernel's addresses, as far as they are known.
    pub fn of_kernel(&self) -> trusty_fault::Symbols {
        self.kernel.as_deref().map(trusty_fault::Symbols::read).unwrap_or_default()
    }
}
