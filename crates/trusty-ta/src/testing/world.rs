//! A kernel with what uses it: apps, and clients of Linux.

use super::hwkey::AgentMood;
use crate::event_loop::Manager;
use crate::port::PortCfg;
use crate::service::Service;
use crate::syscalls::{MAX_PARTS, Syscalls};
use core::ffi::CStr;
use core::time::Duration;
use std::cell::{Cell, Ref, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::string::String;
use std::vec::Vec;
use trusty_abi::{Error, Event, MessageInfo, Result, Uuid, connect};
use trusty_model::hwkey::Agent;
use trusty_model::{Census, Kernel, Task};
use zeroize::Zeroizing;

struct Shared {
    kernel: RefCell<Kernel>,
    console: RefCell<String>,
    clock: Cell<u64>,
    linux: Task,
    agent: RefCell<Option<Agent>>,
    /// The state of each app's random numbers.
    random: RefCell<BTreeMap<Task, Zeroizing<[u8; 32]>>>,
    /// Daemons that keep files.
    daemons: RefCell<Vec<Weak<dyn Serves>>>,
    /// The apps, which run while another one waits.
    apps: RefCell<Vec<Weak<dyn Runs>>>,
}

/// A client of Linux that serves apps.
pub(crate) trait Serves {
    /// Answers what waits. Whether anything did.
    fn serve(&self, kernel: &mut Kernel, linux: Task) -> bool;
}

/// An app that can be given a turn.
trait Runs {
    /// Serves the next event, if one waits and the app does not.
    fn turn(&self, shared: &Rc<Shared>) -> bool;
}

struct Running<S: Service> {
    task: Task,
    manager: RefCell<Manager<S>>,
}

impl<S: Service> Runs for Running<S> {
    fn turn(&self, shared: &Rc<Shared>) -> bool {
        let Ok(mut manager) = self.manager.try_borrow_mut() else { return false };
        enter(shared, self.task, || manager.serve(Some(Duration::ZERO)).is_ok())
    }
}

impl Shared {
    /// What others do while an app waits: whether anything was done.
    fn meanwhile(self: &Rc<Self>) -> bool {
        let served =
            self.agent.borrow().as_ref().is_some_and(|agent| agent.serve(&mut self.kernel.borrow_mut()));
        let daemons: Vec<_> = self.daemons.borrow().iter().filter_map(Weak::upgrade).collect();
        let kernel = &self.kernel;
        let kept = daemons.iter().filter(|one| one.serve(&mut kernel.borrow_mut(), self.linux)).count();
        let apps: Vec<_> = self.apps.borrow().iter().filter_map(Weak::upgrade).collect();
        // Each has its turn.
        let ran = apps.iter().filter(|app| app.turn(self)).count();
        served || kept + ran > 0
    }
}

std::thread_local! {
    static CURRENT: RefCell<Option<(Rc<Shared>, Task)>> = const { RefCell::new(None) };
}

/// Runs code as a task of a kernel.
fn enter<T>(shared: &Rc<Shared>, task: Task, run: impl FnOnce() -> T) -> T {
    let before = CURRENT.with(|current| current.replace(Some((shared.clone(), task))));
    let result = run();
    CURRENT.with(|current| current.replace(before));
    result
}

/// A kernel with apps and clients.
pub struct World(Rc<Shared>);

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A kernel that has just started.
    pub fn new() -> Self {
        let mut kernel = Kernel::new();
        let linux = kernel.add_linux();
        let kernel = RefCell::new(kernel);
        Self(Rc::new(Shared {
            kernel,
            console: RefCell::default(),
            clock: Cell::new(0),
            linux,
            agent: RefCell::default(),
            random: RefCell::default(),
            daemons: RefCell::default(),
            apps: RefCell::default(),
        }))
    }

    /// Starts a stand-in for hwkey-agent, or changes what the one that runs does.
    pub fn hwkey_agent(&self, mood: AgentMood) {
        let mut agent = self.0.agent.borrow_mut();
        agent.get_or_insert_with(|| Agent::start(&mut self.0.kernel.borrow_mut())).mood = mood;
    }

    /// Lets a daemon serve while apps wait for it.
    pub(crate) fn serve_with(&self, daemon: Weak<dyn Serves>) {
        self.0.daemons.borrow_mut().push(daemon);
    }

    /// Does something as Linux.
    pub(crate) fn as_linux<T>(&self, run: impl FnOnce(&mut Kernel, Task) -> T) -> T {
        run(&mut self.0.kernel.borrow_mut(), self.0.linux)
    }

    /// Runs code as an app without ports: a client of others.
    pub fn as_app<T>(&self, uuid: Uuid, run: impl FnOnce() -> T) -> T {
        let task = self.0.kernel.borrow_mut().add_app(uuid);
        enter(&self.0, task, run)
    }

    /// Starts an app: makes its service, publishes its ports. While another app waits, for an answer of this one say, it runs.
    pub fn app<S: Service + 'static>(
        &self,
        ports: &'static [PortCfg],
        service: impl FnOnce() -> S,
    ) -> App<S> {
        self.app_of(Uuid([0xa; 16]), ports, service)
    }

    /// The same, with the UUID that others know it by.
    pub fn app_of<S: Service + 'static>(
        &self,
        uuid: Uuid,
        ports: &'static [PortCfg],
        service: impl FnOnce() -> S,
    ) -> App<S> {
        let task = self.0.kernel.borrow_mut().add_app(uuid);
        let manager = RefCell::new(enter(&self.0, task, || Manager::new(service(), ports)));
        let running = Rc::new(Running { task, manager });
        let all: Rc<dyn Runs> = running.clone();
        self.0.apps.borrow_mut().push(Rc::downgrade(&all));
        App { shared: self.0.clone(), running: Some(running) }
    }

    /// Connects Linux to a port.
    pub fn connect(&self, port: &CStr) -> Result<Client> {
        let handle = self.0.kernel.borrow_mut().connect(self.0.linux, port.to_bytes(), connect::ASYNC)?;
        Ok(Client { shared: self.0.clone(), handle })
    }

    /// Lets time pass. Ticks that are due come when their app runs.
    pub fn advance(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.clock.set(self.0.clock.get().saturating_add(nanoseconds));
    }

    /// What has been printed.
    pub fn console(&self) -> String {
        self.0.console.borrow().clone()
    }

    /// Counts ports, channels and messages: to see that nothing is left over.
    pub fn census(&self) -> Census {
        self.0.kernel.borrow().census()
    }
}

/// An app of a [`World`]. Dropping it closes its handles.
pub struct App<S: Service> {
    shared: Rc<Shared>,
    running: Option<Rc<Running<S>>>,
}

impl<S: Service> App<S> {
    /// Serves events until none waits. Returns how many there were.
    pub fn run(&mut self) -> usize {
        let Some(running) = &self.running else { return 0 };
        core::iter::from_fn(|| running.turn(&self.shared).then_some(())).count()
    }

    /// The event loop.
    pub fn manager(&self) -> Option<Ref<'_, Manager<S>>> {
        self.running.as_ref().map(|running| running.manager.borrow())
    }

    /// Open handles.
    pub fn handles(&self) -> usize {
        let task = self.running.as_ref().map(|running| running.task);
        task.map_or(0, |task| self.shared.kernel.borrow().handles(task))
    }
}

impl<S: Service> Drop for App<S> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            enter(&self.shared, running.task, || drop(running));
        }
    }
}

/// A connection of Linux. Dropping it closes it.
pub struct Client {
    shared: Rc<Shared>,
    handle: u32,
}

impl Client {
    /// Sends a message. The real driver loses what the app's receive buffers cannot take; here it is `NotEnoughBuffer`.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        let mut kernel = self.shared.kernel.borrow_mut();
        kernel.send_msg(self.shared.linux, self.handle, &[message]).map(drop)
    }

    /// The next message. `NoMessage` if none waits, `ChannelClosed` if the app has closed and none is left.
    pub fn receive(&self) -> Result<Vec<u8>> {
        let mut kernel = self.shared.kernel.borrow_mut();
        let (linux, handle) = (self.shared.linux, self.handle);
        match kernel.take_msg(linux, handle) {
            Ok(message) => Ok(message),
            Err(Error::NoMessage) => match kernel.poll(linux, handle)? {
                Some(Event { event, .. }) if event & trusty_abi::event::HUP != 0 => Err(Error::ChannelClosed),
                _ => Err(Error::NoMessage),
            },
            Err(error) => Err(error),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shared.kernel.borrow_mut().close(self.shared.linux, self.handle);
    }
}

/// The kernel of the task that runs now. Outside of [`App`]s there is none, and every call is refused with `Offline`.
pub(crate) struct Current;

impl Current {
    fn call<T>(&self, call: impl FnOnce(&mut Kernel, Task) -> Result<T>) -> Result<T> {
        let (shared, task) = CURRENT.with(|current| current.borrow().clone()).ok_or(Error::Offline)?;
        let mut kernel = shared.kernel.borrow_mut();
        call(&mut kernel, task)
    }

    /// Waits for an event: the others run until it has come, or none of them has anything to do.
    fn wait_for(&self, mut poll: impl FnMut(&mut Kernel, Task) -> Result<Option<Event>>) -> Result<Event> {
        loop {
            if let Some(event) = self.call(&mut poll)? {
                return Ok(event);
            }
            let (shared, _) = CURRENT.with(|current| current.borrow().clone()).ok_or(Error::Offline)?;
            if !shared.meanwhile() {
                return Err(Error::TimedOut);
            }
        }
    }

    fn shared<T>(&self, look: impl FnOnce(&Shared) -> T) -> Result<T> {
        CURRENT
            .with(|current| current.borrow().as_ref().map(|(shared, _)| look(shared)))
            .ok_or(Error::Offline)
    }
}

/// The state of the random numbers of the app that runs; without one it is lost.
pub(crate) fn with_random_state<T>(run: impl FnOnce(&mut Option<Zeroizing<[u8; 32]>>) -> T) -> T {
    let current = CURRENT.with(|current| current.borrow().clone());
    let Some((shared, task)) = current else { return run(&mut None) };
    let mut state = shared.random.borrow_mut().remove(&task);
    let result = run(&mut state);
    if let Some(state) = state {
        shared.random.borrow_mut().insert(task, state);
    }
    result
}

impl Syscalls for Current {
    fn write(&self, text: &[u8]) {
        let _ = self.shared(|shared| shared.console.borrow_mut().push_str(&String::from_utf8_lossy(text)));
    }

    fn nanosleep(&self, nanoseconds: u64) -> Result<()> {
        self.shared(|shared| shared.clock.set(shared.clock.get().saturating_add(nanoseconds)))
    }

    fn gettime(&self) -> Result<u64> {
        self.shared(|shared| shared.clock.get())
    }

    fn port_create(&self, path: &CStr, buffers: u32, buffer_size: u32, flags: u32) -> Result<u32> {
        self.call(|kernel, task| kernel.port_create(task, path.to_bytes(), buffers, buffer_size, flags))
    }

    fn connect(&self, path: &CStr, flags: u32) -> Result<u32> {
        let handle = self.call(|kernel, task| kernel.connect(task, path.to_bytes(), flags))?;
        if flags & connect::ASYNC != 0 {
            return Ok(handle);
        }
        let accepted = self.wait_for(|kernel, task| kernel.poll(task, handle));
        self.call(|kernel, task| match accepted {
            Ok(event) => kernel.connected(task, handle, event.event),
            Err(error) => kernel.close(task, handle).and(Err(error)),
        })
    }

    fn accept(&self, port: u32) -> Result<(u32, Uuid)> {
        self.call(|kernel, task| kernel.accept(task, port))
    }

    fn close(&self, handle: u32) -> Result<()> {
        self.call(|kernel, task| kernel.close(task, handle))
    }

    fn set_cookie(&self, handle: u32, cookie: u32) -> Result<()> {
        self.call(|kernel, task| kernel.set_cookie(task, handle, cookie))
    }

    fn wait(&self, handle: u32, _: u32) -> Result<Event> {
        self.wait_for(|kernel, task| kernel.poll(task, handle))
    }

    fn wait_any(&self, _: u32) -> Result<Event> {
        self.call(|kernel, task| kernel.poll_any(task)?.ok_or(Error::TimedOut))
    }

    fn get_msg(&self, handle: u32) -> Result<MessageInfo> {
        self.call(|kernel, task| kernel.get_msg(task, handle))
    }

    fn read_msg(&self, handle: u32, id: u32, offset: u32, parts: &mut [&mut [u8]]) -> Result<usize> {
        check_parts(parts.len())?;
        self.call(|kernel, task| {
            let mut rest = kernel.read_msg(task, handle, id, offset)?;
            let mut read = 0;
            for part in parts {
                let (now, later) = rest.split_at(part.len().min(rest.len()));
                part.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
                read += now.len();
                rest = later;
            }
            Ok(read)
        })
    }

    fn put_msg(&self, handle: u32, id: u32) -> Result<()> {
        self.call(|kernel, task| kernel.put_msg(task, handle, id))
    }

    fn send_msg(&self, handle: u32, parts: &[&[u8]]) -> Result<usize> {
        check_parts(parts.len())?;
        self.call(|kernel, task| kernel.send_msg(task, handle, parts))
    }
}

/// The limit of the run-time on the target.
fn check_parts(parts: usize) -> Result<()> {
    if parts > MAX_PARTS { Err(Error::InvalidArguments) } else { Ok(()) }
}
