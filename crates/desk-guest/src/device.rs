//! `/dev/trusty-ipc-dev0`: to its clients what NVIDIA's driver is (`drivers/trusty/trusty-ipc.c`), errors and waiting times included.
//! What differs: a signal gives EINTR even with SA_RESTART, and an empty message never gets here (FUSE sends no empty write).

use crate::channel::{Channel, ChannelState};
use crate::fuse::{self, BUFFER, Cuse, Request};
use crate::host::lock;
use desk_guest::link::{self, BATCH, Frame, OFFLINE, WINDOW, kind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::thread::sched_yield;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use trusty_abi::limit::NS_MESSAGE;

const NAME: &str = "trusty-ipc-dev0";
/// `TIPC_IOC_CONNECT` of 64-bit and of 32-bit programs.
const CONNECT: [u32; 2] = [0x4008_7280, 0x4004_7280];
/// `_IOC_TYPE` of them.
const MAGIC: u32 = 0x72;
/// Bytes of a port's name with its NUL; the driver cuts what is longer.
const NAME_SIZE: u64 = 256;
/// How long the driver waits for the answer to a connection, and for room for a message.
const REPLY: Duration = Duration::from_secs(5);
const ROOM: Duration = Duration::from_secs(15);
/// How often these are looked after.
const TICK: Duration = Duration::from_millis(250);
/// No kernel has smaller pages.
const PAGE: u64 = 4096;
/// Requests, or frames, that are taken before the other side gets what they gave.
const TURN: usize = 16;
/// Bytes that frames of the host are read in.
const FRAMES: usize = 64 << 10;

struct Device {
    cuse: Cuse,
    port: File,
    /// Frames for the host that are sent together.
    outbox: Vec<u8>,
    channels: HashMap<u32, Channel>,
    last: u32,
}

/// Whether there is something to read at once.
fn has_more(file: &File) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

/// Makes the device, calls `ready`, and serves it for ever.
pub fn serve(port: File, ready: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let cuse = Cuse::make(NAME)?;
    // The kernel makes the device when it has read our answer.
    while !Path::new("/dev").join(NAME).exists() {
        thread::sleep(Duration::from_millis(1));
    }
    ready()?;
    let mut requests = cuse.0.try_clone()?;
    let mut frames = BufReader::with_capacity(FRAMES, port.try_clone()?);
    let device =
        Arc::new(Mutex::new(Device { cuse, port, outbox: Vec::new(), channels: HashMap::new(), last: 0 }));
    let (from_host, clock) = (device.clone(), device.clone());
    thread::spawn(move || -> io::Result<()> {
        loop {
            let frame = Frame::read(&mut frames)?;
            let mut device = lock(&from_host);
            device.frame(frame)?;
            if frames.buffer().is_empty() {
                device.flush()?;
            }
        }
    });
    thread::spawn(move || -> io::Result<()> {
        loop {
            thread::sleep(TICK);
            let mut device = lock(&clock);
            device.expire()?;
            device.flush()?;
        }
    });
    let mut buffer = vec![0; BUFFER];
    loop {
        for _ in 0..TURN {
            let length = requests.read(&mut buffer)?;
            lock(&device).request(&Request::parse(buffer.get(..length).unwrap_or_default()))?;
            // Whoever was answered may have more, once it has had its turn: then all of it goes to the host at once.
            sched_yield();
            if !has_more(&requests) {
                break;
            }
        }
        lock(&device).flush()?;
    }
}

impl Device {
    fn tell(&mut self, kind: u8, id: u32, data: &[u8]) -> io::Result<()> {
        link::put(&mut self.outbox, kind, id, data)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.outbox.is_empty() {
            self.port.write_all(&self.outbox)?;
            self.outbox.clear();
        }
        Ok(())
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        let (unique, id) = (request.unique, request.u64(0) as u32);
        if request.opcode == fuse::OPEN {
            self.last += 1;
            self.channels.insert(self.last, Channel::default());
            return self.cuse.answer(unique, &[u64::from(self.last).to_le_bytes(), [0; 8]].concat());
        }
        if request.opcode == fuse::INTERRUPT {
            return self.interrupt(request.u64(0));
        }
        let Some(channel) = self.channels.get_mut(&id) else { return self.cuse.fail(unique, Errno::NOSYS) };
        let connected = channel.state == ChannelState::Connected;
        let nonblocking = || connected && request.u32(32) & OFlags::NONBLOCK.bits() != 0;
        match request.opcode {
            fuse::READ if channel.unread.is_empty() && nonblocking() => {
                return self.cuse.fail(unique, Errno::AGAIN);
            }
            fuse::READ => channel.readers.push_back((unique, request.u32(16) as usize)),
            fuse::WRITE => {
                let message = request.rest(40);
                if message.len() > NS_MESSAGE {
                    return self.cuse.fail(unique, Errno::MSGSIZE);
                }
                if channel.under_way == WINDOW && nonblocking() {
                    return self.cuse.fail(unique, Errno::AGAIN);
                }
                channel.writers.push_back((unique, message.into(), Instant::now() + ROOM));
            }
            fuse::IOCTL => return self.ioctl(request, id),
            fuse::POLL => {
                if request.u32(16) & fuse::SCHEDULE_NOTIFY != 0 {
                    channel.poll = Some(request.u64(8));
                }
                return self.cuse.answer(unique, &u64::from(channel.events().bits()).to_le_bytes());
            }
            fuse::RELEASE => {
                if matches!(channel.state, ChannelState::Connected | ChannelState::Connecting) {
                    self.tell(kind::CLOSED, id, &[])?;
                }
                self.channels.remove(&id);
                return self.cuse.answer(unique, &[]);
            }
            _ => return self.cuse.fail(unique, Errno::NOSYS),
        }
        self.advance(id)
    }

    fn ioctl(&mut self, request: &Request, id: u32) -> io::Result<()> {
        let (unique, command, address, data) =
            (request.unique, request.u32(12), request.u64(16), request.rest(32));
        let Some(channel) = self.channels.get_mut(&id) else { return Ok(()) };
        if !CONNECT.contains(&command) {
            let error = if command >> 8 & 0xff == MAGIC { Errno::INVAL } else { Errno::NOTTY };
            return self.cuse.fail(unique, error);
        }
        let name = data.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.len() == data.len() && data.len() < NAME_SIZE as usize {
            // What lies behind the name may not be there: to the end of its page first, and only then beyond.
            let page = PAGE - address % PAGE;
            let size = if data.is_empty() { page.min(NAME_SIZE) } else { NAME_SIZE };
            return self.cuse.retry(unique, address, size);
        }
        let error = match channel.state {
            ChannelState::Disconnected => {
                (channel.state, channel.under_way, channel.taken) = (ChannelState::Connecting, 0, 0);
                channel.connect = Some((unique, Instant::now() + REPLY));
                let name = name.get(..NAME_SIZE as usize - 1).unwrap_or(name).to_vec();
                return self.tell(kind::CONNECT, id, &name);
            }
            ChannelState::Connecting => Errno::ALREADY,
            ChannelState::Connected => Errno::ISCONN,
            ChannelState::Stale => Errno::SHUTDOWN,
        };
        self.cuse.fail(unique, error)
    }

    /// Answers who waits, as far as that is possible now.
    fn advance(&mut self, id: u32) -> io::Result<()> {
        let Some(channel) = self.channels.get_mut(&id) else { return Ok(()) };
        let connected = channel.state == ChannelState::Connected;
        while let Some(&(unique, size)) = channel.readers.front() {
            match channel.unread.front() {
                Some(message) if message.len() > size => self.cuse.fail(unique, Errno::MSGSIZE)?,
                Some(message) => {
                    self.cuse.answer(unique, message)?;
                    channel.unread.pop_front();
                    channel.taken += 1;
                }
                None if connected => break,
                None => self.cuse.fail(unique, channel.state.errno())?,
            }
            channel.readers.pop_front();
        }
        if channel.taken >= BATCH {
            channel.taken -= BATCH;
            link::put(&mut self.outbox, kind::CREDIT, id, &[])?;
        }
        while let Some((unique, message, _)) = channel.writers.front() {
            if !connected {
                self.cuse.fail(*unique, channel.state.errno())?;
            } else if channel.under_way < WINDOW {
                channel.under_way += 1;
                link::put(&mut self.outbox, kind::MESSAGE, id, message)?;
                self.cuse.answer(*unique, &(message.len() as u64).to_le_bytes())?;
            } else {
                break;
            }
            channel.writers.pop_front();
        }
        match channel.poll.take_if(|_| !connected || !channel.unread.is_empty()) {
            Some(poll) => self.cuse.wake(poll),
            None => Ok(()),
        }
    }

    /// A signal: what waits under this number ends. If nothing does, it has ended already.
    fn interrupt(&mut self, unique: u64) -> io::Result<()> {
        let waited = self.channels.values_mut().any(|channel| channel.interrupt(unique));
        if waited { self.cuse.fail(unique, Errno::INTR) } else { Ok(()) }
    }

    fn frame(&mut self, frame: Frame) -> io::Result<()> {
        // The client may have gone meanwhile.
        let Some(channel) = self.channels.get_mut(&frame.channel) else { return Ok(()) };
        match frame.kind {
            kind::ACCEPTED => {
                channel.state = ChannelState::Connected;
                if let Some((unique, _)) = channel.connect.take() {
                    self.cuse.answer(unique, &[0; 16])?;
                }
            }
            kind::CLOSED => {
                let stale = frame.number() == OFFLINE;
                channel.state = if stale { ChannelState::Stale } else { ChannelState::Disconnected };
                if let Some((unique, _)) = channel.connect.take() {
                    self.cuse.fail(unique, if stale { Errno::IO } else { Errno::NOTCONN })?;
                }
            }
            kind::MESSAGE => channel.unread.push_back(frame.data),
            kind::CREDIT => channel.under_way = channel.under_way.saturating_sub(BATCH),
            _ => {}
        }
        self.advance(frame.channel)
    }

    /// Ends what has waited too long.
    fn expire(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for (id, channel) in &mut self.channels {
            if let Some((unique, _)) = channel.connect.take_if(|connect| connect.1 <= now) {
                channel.state = ChannelState::Stale;
                link::put(&mut self.outbox, kind::CLOSED, *id, &[])?;
                self.cuse.fail(unique, Errno::TIMEDOUT)?;
            }
            while let Some((unique, ..)) = channel.writers.front().filter(|writer| writer.2 <= now) {
                self.cuse.fail(*unique, Errno::TIMEDOUT)?;
                channel.writers.pop_front();
            }
        }
        Ok(())
    }
}
