//! A virtio console (virtio 1.2, 5.3) over virtio-mmio: a byte stream to the host and back.
//!
//! Without VIRTIO_CONSOLE_F_MULTIPORT there is one port, with queue 0 to receive and queue 1 to send.

use crate::interrupts::enable_shared;
use core::cell::UnsafeCell;
use desk_firmware::link::{HEADER, PAYLOAD};
use desk_firmware::machine::{read, write};
use desk_firmware::map::{VIRTIO, VIRTIO_COUNT, VIRTIO_INTERRUPT, VIRTIO_STRIDE};

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const CONSOLE: u32 = 3;
/// Feature VIRTIO_F_VERSION_1: bit 32.
const VERSION_1: u32 = 1;
/// Status bits: the driver sees it, knows it, agrees on features, runs.
const STATUS: [u32; 4] = [1, 3, 11, 15];
const RECEIVE: usize = 0;
const SEND: usize = 1;
/// Buffers of a queue.
const COUNT: usize = 16;
/// A descriptor that the device writes.
const WRITABLE: u16 = 2;

/// Registers, by their offset.
mod register {
    pub const MAGIC: u64 = 0x00;
    pub const VERSION: u64 = 0x04;
    pub const DEVICE: u64 = 0x08;
    pub const DRIVER_FEATURES: u64 = 0x20;
    pub const DRIVER_FEATURES_SELECT: u64 = 0x24;
    pub const QUEUE_SELECT: u64 = 0x30;
    pub const QUEUE_SIZE: u64 = 0x38;
    pub const QUEUE_READY: u64 = 0x44;
    pub const QUEUE_NOTIFY: u64 = 0x50;
    pub const INTERRUPT_STATUS: u64 = 0x60;
    pub const INTERRUPT_ACKNOWLEDGE: u64 = 0x64;
    pub const STATUS: u64 = 0x70;
    pub const DESCRIPTORS: u64 = 0x80;
    pub const DRIVER: u64 = 0x90;
    pub const DEVICE_RING: u64 = 0xa0;
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Descriptor {
    address: u64,
    length: u32,
    flags: u16,
    next: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Used {
    id: u32,
    length: u32,
}

/// A ring that one side fills: an index, and what is at it.
#[repr(C)]
struct Ring<T> {
    flags: u16,
    index: u16,
    entries: [T; COUNT],
}

/// A queue in memory that the device reads and writes: only volatile accesses, through pointers.
#[repr(C, align(4096))]
struct Queue {
    descriptors: [Descriptor; COUNT],
    available: Ring<u16>,
    used: Ring<Used>,
    buffers: [[u8; HEADER + PAYLOAD]; COUNT],
}

#[repr(transparent)]
struct Queues(UnsafeCell<[Queue; 2]>);

// SAFETY: one CPU runs this code, and the one `Console` touches them.
unsafe impl Sync for Queues {}

const EMPTY: Queue = Queue {
    descriptors: [Descriptor { address: 0, length: 0, flags: 0, next: 0 }; COUNT],
    available: Ring { flags: 0, index: 0, entries: [0; COUNT] },
    used: Ring { flags: 0, index: 0, entries: [Used { id: 0, length: 0 }; COUNT] },
    buffers: [[0; HEADER + PAYLOAD]; COUNT],
};

static QUEUES: Queues = Queues(UnsafeCell::new([EMPTY; 2]));

fn barrier() {
    // SAFETY: a barrier.
    unsafe { core::arch::asm!("dsb sy", options(nostack)) };
}

/// The console.
pub struct Console {
    base: u64,
    /// How many used entries have been seen, for each queue.
    seen: [u16; 2],
    /// How many buffers were sent.
    sent: u16,
}

impl Console {
    /// Finds the console and starts it.
    pub fn open() -> Option<Self> {
        let bases = (0..VIRTIO_COUNT).map(|index| (VIRTIO + index * VIRTIO_STRIDE, index));
        let console = |base: u64| {
            read(base + register::MAGIC) == MAGIC
                && read(base + register::VERSION) == 2
                && read(base + register::DEVICE) == CONSOLE
        };
        let (base, index) = bases.into_iter().find(|(base, _)| console(*base))?;
        let this = Self { base, seen: [0; 2], sent: 0 };
        write(base + register::STATUS, 0);
        write(base + register::STATUS, STATUS[0]);
        write(base + register::STATUS, STATUS[1]);
        for (select, features) in [(0, 0), (1, VERSION_1)] {
            write(base + register::DRIVER_FEATURES_SELECT, select);
            write(base + register::DRIVER_FEATURES, features);
        }
        write(base + register::STATUS, STATUS[2]);
        this.set_up(RECEIVE, WRITABLE);
        this.set_up(SEND, 0);
        write(base + register::STATUS, STATUS[3]);
        let mut this = this;
        (0..COUNT as u16).for_each(|id| this.offer(RECEIVE, id, id));
        this.notify(RECEIVE);
        enable_shared(VIRTIO_INTERRUPT + index as u32);
        Some(this)
    }

    fn queue(which: usize) -> *mut Queue {
        // SAFETY: the array has two queues.
        unsafe { QUEUES.0.get().cast::<Queue>().add(which & 1) }
    }

    fn set_up(&self, which: usize, flags: u16) {
        let queue = Self::queue(which);
        // Opened anew, as after a panic, the device begins anew too.
        // SAFETY: fields of a static, which the device does not use yet.
        unsafe {
            (&raw mut (*queue).available.index).write_volatile(0);
            (&raw mut (*queue).used.index).write_volatile(0);
        }
        for id in 0..COUNT {
            // SAFETY: the queue is a static, ids are below COUNT, and the device does not use it yet.
            unsafe {
                let address = (&raw mut (*queue).buffers[id]) as u64;
                let length = (HEADER + PAYLOAD) as u32;
                let descriptor = Descriptor { address, length, flags, next: 0 };
                (&raw mut (*queue).descriptors[id]).write_volatile(descriptor);
            }
        }
        // SAFETY: addresses of parts of a static.
        let parts = unsafe {
            [
                (register::DESCRIPTORS, (&raw const (*queue).descriptors) as u64),
                (register::DRIVER, (&raw const (*queue).available) as u64),
                (register::DEVICE_RING, (&raw const (*queue).used) as u64),
            ]
        };
        write(self.base + register::QUEUE_SELECT, which as u32);
        write(self.base + register::QUEUE_SIZE, COUNT as u32);
        for (register, address) in parts {
            write(self.base + register, address as u32);
            write(self.base + register + 4, (address >> 32) as u32);
        }
        write(self.base + register::QUEUE_READY, 1);
    }

    /// Gives the device a buffer, as the `number`th from the start.
    fn offer(&mut self, which: usize, id: u16, number: u16) {
        let queue = Self::queue(which);
        // SAFETY: within the ring; the device reads it only behind the new index, which is written after a barrier.
        unsafe {
            (&raw mut (*queue).available.entries[usize::from(number) % COUNT]).write_volatile(id);
            barrier();
            (&raw mut (*queue).available.index).write_volatile(number.wrapping_add(1));
        }
        barrier();
    }

    fn notify(&self, which: usize) {
        write(self.base + register::QUEUE_NOTIFY, which as u32);
    }

    /// How many buffers the device has given back.
    fn used(which: usize) -> u16 {
        barrier();
        // SAFETY: a field of a static that the device writes.
        unsafe { (&raw const (*Self::queue(which)).used.index).read_volatile() }
    }

    /// Takes the interrupt back, so that it is pending only when there is something new.
    pub fn acknowledge(&self) {
        let status = read(self.base + register::INTERRUPT_STATUS);
        if status != 0 {
            write(self.base + register::INTERRUPT_ACKNOWLEDGE, status);
        }
    }

    /// Whether bytes have come.
    pub fn pending(&self) -> bool {
        Self::used(RECEIVE) != self.seen[RECEIVE]
    }

    /// Hands the bytes of one buffer to `take`, if one has come.
    pub fn receive(&mut self, take: impl FnOnce(&[u8])) -> bool {
        self.acknowledge();
        if !self.pending() {
            return false;
        }
        let queue = Self::queue(RECEIVE);
        let seen = self.seen[RECEIVE];
        // SAFETY: the device has given this buffer back, and gets it again only below.
        unsafe {
            let used = (&raw const (*queue).used.entries[usize::from(seen) % COUNT]).read_volatile();
            let id = used.id as usize % COUNT;
            let buffer = &(*queue).buffers[id];
            take(buffer.get(..used.length as usize).unwrap_or_default());
            self.seen[RECEIVE] = seen.wrapping_add(1);
            // The buffer's place in the ring: as many have been offered as were there at first and have come back.
            self.offer(RECEIVE, id as u16, seen.wrapping_add(COUNT as u16));
        }
        self.notify(RECEIVE);
        true
    }

    /// Sends bytes, as `fill` writes them: it returns how many. Waits while all buffers are with the device.
    pub fn send(&mut self, fill: impl FnOnce(&mut [u8; HEADER + PAYLOAD]) -> usize) {
        while self.sent.wrapping_sub(Self::used(SEND)) >= COUNT as u16 {
            self.acknowledge();
        }
        let id = self.sent % COUNT as u16;
        let queue = Self::queue(SEND);
        // SAFETY: the device gives buffers back in order (it has one port, which it writes in order), so this one is ours.
        unsafe {
            let length = fill(&mut (*queue).buffers[usize::from(id)]).min(HEADER + PAYLOAD);
            (&raw mut (*queue).descriptors[usize::from(id)].length).write_volatile(length as u32);
        }
        self.offer(SEND, id, self.sent);
        self.sent = self.sent.wrapping_add(1);
        self.notify(SEND);
    }
}
