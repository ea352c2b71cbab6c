//! Time as trusted apps see it.

use std::time::{Duration, Instant};

/// Time since the kernel's start.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// That of this host.
    Host(Instant),
    /// What was counted.
    Counted(Duration),
}

impl Clock {
    /// The host's, from now on.
    pub fn of_host() -> Self {
        Self::Host(Instant::now())
    }

    /// How much has passed.
    pub fn now(&self) -> Duration {
        match self {
            Self::Host(start) => start.elapsed(),
            Self::Counted(time) => *time,
        }
    }
}
