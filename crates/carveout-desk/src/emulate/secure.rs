//! The secure world of a device: its trusted apps, verified, and what runs them.

use super::backend::{self, Prepared};
use super::request::EmulateRequest;
use super::target::EmulationTarget;
use crate::Workshop;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::ui::Ui;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::thread::ScopedJoinHandle;

/// The secure world, ready to start.
pub struct Secure<'a> {
    /// The trusted apps.
    pub target: Cow<'a, EmulationTarget>,
    /// What runs them.
    pub prepared: Prepared,
}

impl<'a> Secure<'a> {
    /// Prepares what runs them.
    pub fn new(
        target: Cow<'a, EmulationTarget>,
        args: &EmulateRequest,
        workshop: &dyn Workshop,
        dirs: &Dirs,
        ui: &Ui,
    ) -> Result<Self> {
        let prepared = backend::prepare(args, &target, workshop, dirs, ui)?;
        Ok(Self { target, prepared })
    }
}

/// Trusted apps, once they are verified and their backend is there. Meanwhile the guest boots.
pub struct Verifying<'scope, 'a> {
    thread: Cell<Option<ScopedJoinHandle<'scope, Result<Option<Secure<'a>>>>>>,
    done: OnceCell<Option<Secure<'a>>>,
}

impl<'scope, 'a> Verifying<'scope, 'a> {
    /// What a thread verifies and prepares.
    pub fn new(thread: ScopedJoinHandle<'scope, Result<Option<Secure<'a>>>>) -> Self {
        Self { thread: Cell::new(Some(thread)), done: OnceCell::new() }
    }

    /// Waits for them. None: those of a device are looked at anew each time.
    pub fn get(&self) -> Result<Option<&Secure<'a>>> {
        if let Some(thread) = self.thread.take() {
            let secure = thread.join().unwrap_or_else(|_| Err(Error::interrupted()))?;
            let _ = self.done.set(secure);
        }
        Ok(self.done.get().and_then(Option::as_ref))
    }
}
