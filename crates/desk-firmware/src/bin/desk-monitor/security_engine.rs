//! S-EL2: the part of Tegra194's security engine, and of its fuses, that NVIDIA's hwkey-agent uses.
//!
//! Of the engine: its mutex, the table of AES key slots, and AES-128-ECB of memory with the key of a slot. The slots hold what the boot
//! block says, which is no secret. What else it is asked for is fatal: an answer would be a wrong one.

use crate::report::fatal;
use crate::start::boot_block;
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use core::cell::UnsafeCell;
use desk_firmware::boot::BootBlock;
use desk_firmware::{machine, map};

/// Reading takes the mutex (1: it is yours), writing 1 gives it back.
const MUTEX: u64 = 0x50;
const MUTEX_STATUS: u64 = 0x64;
const CONFIG: u64 = 0x204;
const CRYPTO_CONFIG: u64 = 0x208;
const IN: u64 = 0x20c;
const IN_HIGH: u64 = 0x210;
const OUT: u64 = 0x214;
const OUT_HIGH: u64 = 0x218;
const LAST_BLOCK: u64 = 0x22c;
const OPERATION: u64 = 0x238;
const KEY_ADDRESS: u64 = 0x2bc;
const KEY_DATA: u64 = 0x2c0;
const INTERRUPTS: u64 = 0x2f0;
const STATUS: u64 = 0x2f4;

/// `SE0_AES0_CONFIG_0`: encrypt with AES-128, to memory.
const AES_128_TO_MEMORY: u32 = 1 << 12;
/// `SE0_AES0_CRYPTO_CONFIG_0` without its key slot: encrypt, output of AES to the vector, no XOR, no hash: ECB.
const ECB: u32 = 1 << 9 | 2 << 5;
/// `SE0_AES0_OPERATION_0`: start, and this is the last buffer.
const START: u32 = 1 | 1 << 16;

const SLOTS: usize = 16;
/// Key slots of a device after its boot ROM.
const KEK2: usize = 11;
const SSK: usize = 15;

/// The registers that keep what was written.
const KEPT: [u64; 8] = [CONFIG, CRYPTO_CONFIG, IN, IN_HIGH, OUT, OUT_HIGH, LAST_BLOCK, KEY_ADDRESS];

struct Engine {
    registers: [u32; KEPT.len()],
    keys: [[u32; 4]; SLOTS],
    locked: bool,
    /// The slots have what the boot block says.
    filled: bool,
}

struct Shared(UnsafeCell<Engine>);

// SAFETY: one CPU runs this code, EL2 does not interrupt itself, and references end with each access.
unsafe impl Sync for Shared {}

static ENGINE: Shared = Shared(UnsafeCell::new(Engine {
    registers: [0; KEPT.len()],
    keys: [[0; 4]; SLOTS],
    locked: false,
    filled: false,
}));

/// Whether an address is one of the engine or of the fuses.
pub fn has(address: u64) -> bool {
    (map::TEGRA_SE..map::TEGRA_SE_END).contains(&address)
        || (map::TEGRA_FUSE..map::TEGRA_FUSE_END).contains(&address)
}

/// An access to one of these: what is read.
pub fn access(address: u64, written: Option<u32>) -> u32 {
    if address < map::TEGRA_SE {
        return written.map_or_else(|| fuse(address - map::TEGRA_FUSE), |_| 0);
    }
    // SAFETY: see the Sync of Shared.
    let engine = unsafe { &mut *ENGINE.0.get() };
    if !engine.filled {
        let BootBlock { kek2, ssk, .. } = boot_block();
        (engine.keys[KEK2], engine.keys[SSK], engine.filled) = (kek2, ssk, true);
    }
    let offset = address - map::TEGRA_SE;
    match written {
        Some(value) => {
            engine.write(offset, value);
            0
        }
        None => engine.read(offset),
    }
}

impl Engine {
    fn register(&mut self, offset: u64) -> Option<&mut u32> {
        let index = KEPT.iter().position(|kept| *kept == offset)?;
        self.registers.get_mut(index)
    }

    fn get(&mut self, offset: u64) -> u32 {
        self.register(offset).map_or(0, |register| *register)
    }

    fn read(&mut self, offset: u64) -> u32 {
        match offset {
            MUTEX => u32::from(!core::mem::replace(&mut self.locked, true)),
            MUTEX_STATUS => self.locked.into(),
            // Each operation is done before its write ends.
            STATUS | INTERRUPTS => 0,
            offset => match self.register(offset) {
                Some(register) => *register,
                None => unknown("read of", offset),
            },
        }
    }

    fn write(&mut self, offset: u64, value: u32) {
        match offset {
            MUTEX => self.locked &= value & 1 == 0,
            INTERRUPTS => {}
            KEY_DATA => self.key_word(value),
            OPERATION => self.operate(value),
            offset => match self.register(offset) {
                Some(register) => *register = value,
                None => {
                    unknown("write to", offset);
                }
            },
        }
    }

    /// Slot in bits 7 to 4 of the address, four words in 3 and 2, word in 1 and 0. The first four are a key of 128 bits.
    fn key_word(&mut self, value: u32) {
        let address = self.get(KEY_ADDRESS);
        if address & !0xf3 != 0 {
            unknown("a key word at", address.into());
        }
        self.keys[(address >> 4 & 15) as usize][(address & 3) as usize] = value;
    }

    fn operate(&mut self, operation: u32) {
        let (config, crypto) = (self.get(CONFIG), self.get(CRYPTO_CONFIG));
        let slot = (crypto >> 24 & 15) as usize;
        if operation != START || config != AES_128_TO_MEMORY || crypto & 0xf0ff_ffff != ECB {
            fatal(format_args!(
                "the security engine is asked for what the desk does not have: operation 0x{operation:x}, config 0x{config:x}, crypto 0x{crypto:x}"
            ));
        }
        let blocks = u64::from(self.get(LAST_BLOCK)) + 1;
        let key = bytes(self.keys[slot]);
        let cipher = Aes128::new(&key.into());
        let [from, to] = [(IN, IN_HIGH), (OUT, OUT_HIGH)].map(|(low, high)| {
            let (low, high) = (self.get(low), self.get(high));
            let (start, size) = (u64::from(high >> 24) << 32 | u64::from(low), u64::from(high & 0xff_ffff));
            let room = map::TZDRAM..map::TZDRAM + boot_block().tzdram_size;
            if size != 16 * blocks || start % 4 != 0 || start < room.start || start + size > room.end {
                fatal(format_args!(
                    "the security engine is given {size} bytes at 0x{start:x} for {blocks} blocks: they are not Trusty's"
                ));
            }
            start
        });
        for block in 0..blocks {
            let word = |at: u64, index: u64| at + 16 * block + 4 * index;
            let mut text = bytes([0, 1, 2, 3].map(|index| machine::read(word(from, index)))).into();
            cipher.encrypt_block(&mut text);
            for (index, four) in text.chunks_exact(4).enumerate() {
                let value = four.try_into().map_or(0, u32::from_le_bytes);
                machine::write(word(to, index as u64), value);
            }
        }
    }
}

fn bytes(words: [u32; 4]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (four, word) in bytes.chunks_exact_mut(4).zip(words) {
        four.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn unknown(what: &str, offset: u64) -> u32 {
    fatal(format_args!("security engine: {what} 0x{offset:x}, which the desk does not have"))
}

/// The fuses that an ECID is made of, for the one that the boot block has; all others are blank.
fn fuse(offset: u64) -> u32 {
    let [low, first, second, third] = boot_block().ecid;
    match offset {
        0x200 => third & 0xf,                           // vendor
        0x204 => second >> 26,                          // fab
        0x208 => second << 6 | first >> 26,             // lot 0
        0x20c => (first & 0x3ff_ffff) << 2 | low >> 30, // lot 1
        0x210 => low >> 24 & 0x3f,                      // wafer
        0x214 => low >> 15 & 0x1ff,                     // x
        0x218 => low >> 6 & 0x1ff,                      // y
        0x220 => low & 0x3f,                            // reserved
        _ => 0,
    }
}
