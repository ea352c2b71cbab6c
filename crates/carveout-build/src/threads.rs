//! Stages that run side by side, each on a thread.

use crate::errors::StageError;
use carveout_host::error::Result;
use std::thread::ScopedJoinHandle;

/// A stage's result, when its thread has ended.
pub fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(StageError::Panicked.into()))
}
