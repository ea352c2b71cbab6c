//! S-EL2: the part of Tegra194's security engine, and of its fuses, that NVIDIA's hwkey-agent uses.
//!
//! Of the engine: its mutex, the table of AES key slots, and AES of memory with a key of 128 or 256 bits of a slot, as ECB or CBC, or the
//! last block of CBC alone (which CMAC is made of). The slots hold what the boot block says, which is no secret. What else it is asked for is
//! fatal: an answer would be a wrong one.

use crate::report::fatal;
use crate::start::boot_block;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use core::cell::UnsafeCell;
use desk_firmware::boot::{BootBlock, words};
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
/// The same with a key of 256 bits.
const AES_256_TO_MEMORY: u32 = 2 << 24 | AES_128_TO_MEMORY;
/// `SE0_AES0_CRYPTO_CONFIG_0` without its key slot: encrypt, output of AES to the vector, no XOR, no hash: ECB.
const ECB: u32 = 1 << 9 | 2 << 5;
/// Each block is XORed with the vector before: CBC.
const XOR_TOP: u32 = 2 << 1;
/// The last block alone comes out.
const HASH: u32 = 1;
/// The vector is that of the operation before.
const UPDATED: u32 = 1 << 7;
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
    /// Of each slot: a key of two parts, a vector, and the vector that an operation has left.
    keys: [[[u32; 4]; 4]; SLOTS],
    locked: bool,
    /// The slots have what the boot block says.
    filled: bool,
}

struct Shared(UnsafeCell<Engine>);

// SAFETY: one CPU runs this code, EL2 does not interrupt itself, and references end with each access.
unsafe impl Sync for Shared {}

static ENGINE: Shared = Shared(UnsafeCell::new(Engine {
    registers: [0; KEPT.len()],
    keys: [[[0; 4]; 4]; SLOTS],
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
        (engine.keys[KEK2][0], engine.keys[SSK][0], engine.filled) = (kek2, ssk, true);
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

    /// Slot in bits 7 to 4 of the address, part in 3 and 2, word in 1 and 0.
    fn key_word(&mut self, value: u32) {
        let address = self.get(KEY_ADDRESS);
        let [slot, part, word] = [address >> 4 & 15, address >> 2 & 3, address & 3].map(|bits| bits as usize);
        self.keys[slot][part][word] = value;
    }

    fn operate(&mut self, operation: u32) {
        let (config, crypto) = (self.get(CONFIG), self.get(CRYPTO_CONFIG));
        let slot = (crypto >> 24 & 15) as usize;
        let known = [AES_128_TO_MEMORY, AES_256_TO_MEMORY].contains(&config)
            && crypto & !(0xf << 24 | XOR_TOP | HASH | UPDATED) == ECB;
        if operation != START || !known {
            fatal(format_args!(
                "the security engine is asked for what the desk does not have: operation 0x{operation:x}, config 0x{config:x}, crypto 0x{crypto:x}"
            ));
        }
        let blocks = u64::from(self.get(LAST_BLOCK)) + 1;
        let [first, second, vector, updated] = self.keys[slot].map(bytes);
        let mut before = if crypto & UPDATED == 0 { vector } else { updated };
        let whole = crypto & HASH == 0;
        let from = self.place(IN, IN_HIGH, blocks, blocks);
        let to = self.place(OUT, OUT_HIGH, if whole { blocks } else { 1 }, blocks);
        for block in 0..blocks {
            let mut text = bytes([0, 1, 2, 3].map(|index| machine::read(from + 16 * block + 4 * index)));
            if crypto & XOR_TOP != 0 {
                text.iter_mut().zip(before).for_each(|(byte, before)| *byte ^= before);
            }
            let mut text = text.into();
            if config == AES_128_TO_MEMORY {
                Aes128::new(&first.into()).encrypt_block(&mut text);
            } else {
                let mut key = [0; 32];
                key[..16].copy_from_slice(&first);
                key[16..].copy_from_slice(&second);
                Aes256::new(&key.into()).encrypt_block(&mut text);
            }
            before = text.into();
            if whole || block + 1 == blocks {
                for (index, word) in words(&before).into_iter().enumerate() {
                    machine::write(to + if whole { 16 * block } else { 0 } + 4 * index as u64, word);
                }
            }
        }
        self.keys[slot][3] = words(&before);
    }

    /// The address in two registers, behind which so many blocks must be Trusty's.
    fn place(&mut self, low: u64, high: u64, blocks: u64, of: u64) -> u64 {
        let (low, high) = (self.get(low), self.get(high));
        let (start, size) = (u64::from(high >> 24) << 32 | u64::from(low), u64::from(high & 0xff_ffff));
        let room = map::TZDRAM..map::TZDRAM + boot_block().tzdram_size;
        if size < 16 * blocks
            || size > 16 * of
            || !start.is_multiple_of(4)
            || start < room.start
            || start + size > room.end
        {
            fatal(format_args!(
                "the security engine is given {size} bytes at 0x{start:x} for {blocks} blocks: they are not Trusty's"
            ));
        }
        start
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
