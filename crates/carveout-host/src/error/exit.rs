//! How a command ends that has failed.

/// Exit codes of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A check failed.
    Check = 1,
    /// Wrong usage or config.
    Usage = 2,
    /// The environment lacks something.
    Environment = 3,
    /// A signal has ended it, as shells count: 128 and SIGINT's 2.
    Interrupted = 130,
}

impl Exit {
    /// The kind of failure in a word: the code of what has none of its own.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Check => "check-failed",
            Self::Usage => "wrong-usage",
            Self::Environment => "environment-lacks",
            Self::Interrupted => "interrupted",
        }
    }
}
