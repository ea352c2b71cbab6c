//! A stand-in for carveout-stored, for unit tests of trusted apps.

use super::world::{Serves, World};
use core::ffi::CStr;
use std::cell::RefCell;
use std::rc::Rc;
use storage_proxy::{Memory, Mood, Proxy};
use trusty_abi::{connect, event};
use trusty_model::{Kernel, Task};

/// A daemon that keeps a trusted app's files in memory. It serves while the trusted app waits for it.
pub struct StorageDaemon<'w> {
    world: &'w World,
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    port: &'static CStr,
    handle: Option<u32>,
    proxy: Proxy<Memory>,
}

impl World {
    /// Connects a daemon to a trusted app's port for it, with files that another one had kept, or none. Run the app then, so that it accepts.
    pub fn storage_daemon(&self, port: &'static CStr, files: Memory) -> StorageDaemon<'_> {
        let inner = Rc::new(RefCell::new(Inner { port, handle: None, proxy: Proxy::new(files) }));
        let served: Rc<dyn Serves> = inner.clone();
        self.serve_with(Rc::downgrade(&served));
        let daemon = StorageDaemon { world: self, inner };
        daemon.connect();
        daemon
    }
}

impl StorageDaemon<'_> {
    /// Connects again, after it has died or the trusted app has closed.
    pub fn connect(&self) {
        self.disconnect();
        let mut inner = self.inner.borrow_mut();
        let files = std::mem::take(&mut inner.proxy.files);
        inner.proxy = Proxy::new(files);
        let port = inner.port.to_bytes();
        inner.handle = self.world.as_linux(|kernel, linux| kernel.connect(linux, port, connect::ASYNC).ok());
    }

    /// It goes.
    pub fn disconnect(&self) {
        let handle = self.inner.borrow_mut().handle.take();
        self.world.as_linux(|kernel, linux| handle.map(|handle| kernel.close(linux, handle)));
    }

    /// Sets what becomes of requests, from now on.
    pub fn set_mood(&self, mood: Mood) {
        let files = &mut self.inner.borrow_mut().proxy.files;
        (files.mood, files.writes) = (mood, 0);
    }

    /// Looks at the files, or changes them as an attacker does.
    pub fn files<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.inner.borrow_mut().proxy.files)
    }
}

impl Serves for RefCell<Inner> {
    fn serve(&self, kernel: &mut Kernel, linux: Task) -> bool {
        let mut inner = self.borrow_mut();
        let mut served = false;
        while let Some(handle) = inner.handle {
            let Ok(Some(events)) = kernel.poll(linux, handle) else { break };
            served = true;
            if events.event & event::MSG != 0
                && let Ok(request) = kernel.take_msg(linux, handle)
            {
                let answer = inner.proxy.answer(&request);
                if inner.proxy.files.mood == Mood::Silent {
                    continue;
                }
                if let Some(answer) = answer.filter(|_| inner.proxy.files.answers()) {
                    let _ = kernel.send_msg(linux, handle, &[&answer]);
                    continue;
                }
            } else if events.event & event::READY != 0 {
                continue;
            }
            let _ = kernel.close(linux, handle);
            inner.handle = None;
        }
        served
    }
}
