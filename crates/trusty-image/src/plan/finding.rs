//! What a plan finds.

use core::fmt;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It would fail on the device: nothing is built.
    Error,
    /// It may fail.
    Warning,
    /// It could be better.
    Advice,
}

/// What is found. Names are stable, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// A TA will allocate more than its heap has.
    HeapDemand,
    /// All together take more than the carve-out.
    TzdramFull,
    /// The image does not fit into its partition.
    PartitionFull,
    /// Two TAs have the same UUID.
    SameUuid,
    /// A stack is likely too small.
    StackSmall,
    /// Image and heap come near the stack.
    NearStack,
    /// Device memory that the kernel will not map as its manifest has it.
    DeviceMemory,
    /// What is free is too little for the buffers of a connection.
    NoConnections,
    /// A TA does not say what it will allocate.
    DemandUnknown,
    /// A heap is much larger than what will be allocated.
    HeapSpare,
    /// A smaller carve-out serves as well.
    TzdramSpare,
    /// Whether a board of this SoC heeds the carve-out was not seen.
    CarveOutUnproved,
}

impl Code {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeapDemand => "heap-demand",
            Self::TzdramFull => "tzdram-full",
            Self::PartitionFull => "partition-full",
            Self::SameUuid => "same-uuid",
            Self::StackSmall => "stack-small",
            Self::NearStack => "near-stack",
            Self::DeviceMemory => "device-memory",
            Self::NoConnections => "no-connections",
            Self::DemandUnknown => "demand-unknown",
            Self::HeapSpare => "heap-spare",
            Self::TzdramSpare => "tzdram-spare",
            Self::CarveOutUnproved => "carve-out-unproved",
        }
    }

    /// How grave it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::HeapDemand | Self::TzdramFull | Self::PartitionFull | Self::SameUuid => Severity::Error,
            Self::StackSmall | Self::NearStack | Self::DeviceMemory | Self::NoConnections => {
                Severity::Warning
            }
            Self::DemandUnknown | Self::HeapSpare | Self::TzdramSpare | Self::CarveOutUnproved => {
                Severity::Advice
            }
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// The TA that it is about, if it is about one.
    pub trusted_app: Option<String>,
    /// What was found, with the figures.
    pub what: String,
    /// What mends it.
    pub remedy: String,
}

impl Finding {
    pub(super) fn new(
        code: Code,
        trusted_app: Option<&str>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let trusted_app = trusted_app.map(str::to_owned);
        Self { code, severity: code.severity(), trusted_app, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: ", self.code.name())?;
        if let Some(app) = &self.trusted_app {
            write!(f, "{app} ")?;
        }
        f.write_str(&self.what)
    }
}
