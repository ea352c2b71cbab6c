//! QL-TIPC, and the ports behind it.

use crate::console::print;
use crate::start::panic;
use crate::timer;
use core::sync::atomic::{AtomicBool, Ordering};
use desk_firmware::smc::{ql, result};
use desk_firmware::{machine, map};
use trusty_abi::event;

/// Handles begin here, as in `tipc_dev_ql.c`.
const FIRST: u32 = 32;
/// Messages of 4096 bytes that a channel holds.
const SLOTS: usize = 4;
/// Messages of all channels together.
const POOL: usize = 40;
/// How long `test.late` takes.
const LATE_MILLISECONDS: u64 = 20;
/// Messages of `test.chatty`.
const CHATTER: u32 = 1000;
/// A device of Tegra194 that is not there: the memory controller.
const ABSENT: u64 = 0x02c0_0000;

/// As `to_smc_error` has it: invalid arguments have a code of their own, all else has one.
const INVALID: i32 = -2;
const FAILURE: i32 = result::INTERNAL_FAILURE;

/// The timer has fired.
pub static LATE: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Port {
    Echo,
    Small,
    Late,
    Never,
    HangUp,
    Chatty,
    Size,
    Device,
    Bus,
    NeverMind,
    Beyond,
    Panic,
    Console,
}

impl Port {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"test.echo" => Self::Echo,
            b"test.small" => Self::Small,
            b"test.late" => Self::Late,
            b"test.never" => Self::Never,
            b"test.hang-up" => Self::HangUp,
            b"test.chatty" => Self::Chatty,
            b"test.size" => Self::Size,
            b"test.device" => Self::Device,
            b"test.bus" => Self::Bus,
            b"test.beyond" => Self::Beyond,
            b"test.never-mind" => Self::NeverMind,
            b"test.panic" => Self::Panic,
            b"test.console" => Self::Console,
            name if name.starts_with(b"com.carveout.") => {
                if name.ends_with(b"unchecked-srv") {
                    Self::Panic
                } else {
                    Self::Echo
                }
            }
            _ => return None,
        })
    }
}

struct Channel {
    port: Port,
    ready: bool,
    ended: bool,
    /// How many messages the port has sent by itself.
    sent: u32,
}

/// A message that waits.
struct Message {
    slot: usize,
    number: u64,
    length: usize,
    bytes: [u8; map::PAGE as usize],
}

/// Messages of all channels.
struct Pool {
    messages: [Option<Message>; POOL],
    number: u64,
}

impl Pool {
    fn of(&self, slot: usize) -> impl Iterator<Item = &Message> {
        self.messages.iter().flatten().filter(move |message| message.slot == slot)
    }

    fn push(&mut self, slot: usize, bytes: &[u8]) -> bool {
        if self.of(slot).count() == SLOTS {
            return false;
        }
        let Some(free) = self.messages.iter_mut().find(|message| message.is_none()) else { return false };
        self.number += 1;
        let message =
            Message { slot, number: self.number, length: bytes.len(), bytes: [0; map::PAGE as usize] };
        free.insert(message).bytes[..bytes.len()].copy_from_slice(bytes);
        true
    }

    /// The oldest.
    fn pop(&mut self, slot: usize) -> Option<Message> {
        let first = self.of(slot).map(|message| message.number).min()?;
        let found =
            self.messages.iter_mut().find(|message| message.as_ref().is_some_and(|m| m.number == first));
        found.and_then(Option::take)
    }

    fn clear(&mut self, slot: usize) {
        while self.pop(slot).is_some() {}
    }
}

impl Channel {
    /// What the port does by itself.
    fn work(&mut self, slot: usize, pool: &mut Pool, size: u64) {
        match self.port {
            Port::Chatty => {
                while self.sent < CHATTER && pool.push(slot, &self.sent.to_le_bytes()) {
                    self.sent += 1;
                }
            }
            Port::Size if self.sent == 0 => {
                pool.push(slot, &size.to_le_bytes());
                self.sent = 1;
            }
            Port::Device if self.sent == 0 => {
                let value = machine::read(ABSENT);
                pool.push(slot, &value.to_le_bytes());
                self.sent = 1;
            }
            // SAFETY: not safe at all: that it is fatal is what is tested.
            Port::Beyond => unsafe { ((map::TZDRAM + size) as *mut u8).write_volatile(1) },
            Port::Panic => panic(format_args!("asked to")),
            _ => {}
        }
    }
}

/// All channels, and the buffer that is shared.
pub struct Channels {
    size: u64,
    buffer: u64,
    channels: [Option<Channel>; ql::CHANNELS],
    pool: Pool,
}

impl Channels {
    /// None yet. `size`: bytes of memory.
    pub fn new(size: u64) -> Self {
        let pool = Pool { messages: [const { None }; POOL], number: 0 };
        Self { size, buffer: 0, channels: [const { None }; ql::CHANNELS], pool }
    }

    /// Takes a buffer.
    pub fn create(&mut self, descriptor: u64, size: u64) -> i32 {
        if descriptor & !0x000f_ffff_f000 != ql::ATTRIBUTES & !0x000f_ffff_f000 || size != ql::BUFFER as u64 {
            return INVALID;
        }
        self.buffer = descriptor & 0xffff_ffff_f000;
        0
    }

    fn bytes(&mut self) -> &mut [u8; ql::BUFFER] {
        // SAFETY: the agent's buffer, mapped, and untouched by the agent during a call.
        unsafe { &mut *(self.buffer as *mut [u8; ql::BUFFER]) }
    }

    /// Does a command.
    pub fn command(&mut self, descriptor: u64, size: u64) -> i32 {
        if self.buffer == 0 || descriptor & 0xffff_ffff_f000 != self.buffer || size < ql::HEADER as u64 {
            return INVALID;
        }
        let buffer = self.bytes();
        let opcode = u16::from_le_bytes([buffer[0], buffer[1]]);
        let handle = u32::from_le_bytes([buffer[8], buffer[9], buffer[10], buffer[11]]);
        let length = (u32::from_le_bytes([buffer[12], buffer[13], buffer[14], buffer[15]]) as usize)
            .min(map::PAGE as usize);
        let mut payload = [0; map::PAGE as usize];
        payload[..length].copy_from_slice(&buffer[ql::HEADER..ql::HEADER + length]);
        let answer = self.act(opcode, handle, &payload[..length]);
        let (result, handle, length) = match answer {
            Ok((result, handle, length)) => (result, handle, length),
            Err(error) => (error, handle, 0),
        };
        let buffer = self.bytes();
        buffer[..2].copy_from_slice(&(opcode | ql::RESPONSE).to_le_bytes());
        buffer[4..8].copy_from_slice(&u32::from(result < 0).to_le_bytes());
        buffer[8..12].copy_from_slice(&handle.to_le_bytes());
        buffer[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        result
    }

    fn act(&mut self, opcode: u16, handle: u32, payload: &[u8]) -> Result<(i32, u32, usize), i32> {
        if opcode == ql::CONNECT {
            let name = payload.get(16..).and_then(|name| name.strip_suffix(&[0])).ok_or(INVALID)?;
            let port = Port::of(name).ok_or(FAILURE)?;
            let slot = self.channels.iter().position(Option::is_none).ok_or(FAILURE)?;
            let ready = port != Port::Never;
            let channel = Channel { port, ready, ended: false, sent: 0 };
            self.channels[slot] = Some(channel);
            return Ok((0, FIRST + slot as u32, 0));
        }
        if opcode == ql::GET_EVENT && handle == 0 {
            panic(format_args!("GET_EVENT with handle 0"));
        }
        let size = self.size;
        let number = handle.wrapping_sub(FIRST) as usize;
        let slot = self.channels.get_mut(number).ok_or(INVALID)?;
        let channel = slot.as_mut().ok_or(INVALID)?;
        match opcode {
            ql::GET_EVENT => {
                channel.work(number, &mut self.pool, size);
                let late = channel.port == Port::Late && !LATE.load(Ordering::Relaxed);
                let mut events = if channel.ready { event::READY } else { 0 };
                channel.ready = false;
                let answers = channel.port != Port::NeverMind && !late;
                events |= if self.pool.of(number).next().is_some() && answers { event::MSG } else { 0 };
                events |= if channel.ended { event::HUP } else { 0 };
                let bytes = self.bytes();
                bytes[16..20].copy_from_slice(&events.to_le_bytes());
                Ok((0, handle, 16))
            }
            ql::SEND => {
                let taken =
                    if channel.port == Port::Small { &payload[..payload.len().min(16)] } else { payload };
                if channel.port == Port::Console {
                    print(format_args!("{}", core::str::from_utf8(payload).unwrap_or_default()));
                }
                let word =
                    |at: usize| payload.get(at..at + 4)?.first_chunk().map(|four| u32::from_le_bytes(*four));
                if channel.port == Port::HangUp {
                    channel.ended = true;
                } else if channel.port == Port::Bus {
                    match (word(0), word(4)) {
                        (Some(address), Some(value)) => machine::write(address.into(), value),
                        (Some(address), None) => {
                            self.pool.push(number, &machine::read(address.into()).to_le_bytes());
                        }
                        _ => return Err(FAILURE),
                    }
                } else if !self.pool.push(number, taken) {
                    return Err(FAILURE);
                }
                if channel.port == Port::Late {
                    LATE.store(false, Ordering::Relaxed);
                    timer::start(LATE_MILLISECONDS);
                }
                Ok((taken.len() as i32, handle, 0))
            }
            ql::RECV => {
                let message = self.pool.pop(number).ok_or(FAILURE)?;
                let bytes = self.bytes();
                bytes[ql::HEADER..ql::HEADER + message.length]
                    .copy_from_slice(&message.bytes[..message.length]);
                Ok((message.length as i32, handle, message.length))
            }
            ql::DISCONNECT => {
                *slot = None;
                self.pool.clear(number);
                Ok((0, handle, 0))
            }
            _ => Err(INVALID),
        }
    }
}
