//! The stand-in for the security engine, the fuses and the EKB, driven register by register by a test.

use super::{Emulate, receive};
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use carveout_desk::device_keys::{DeviceKeys, ECID, KeysRequest};
use carveout_host::ui::{Ui, Verbosity};
use tipc::{Channel, Transport};

const SE: u32 = 0x03ac_0000;
const FUSES: u32 = 0x0382_0000;
const MUTEX: u32 = SE + 0x50;
const OPERATION: u32 = SE + 0x238;
const KEY_ADDRESS: u32 = SE + 0x2bc;
const KEY_DATA: u32 = SE + 0x2c0;
const STATUS: u32 = SE + 0x2f4;
/// Places in a carve-out of 2 MiB that the test kernel does not use.
const FROM: u32 = 0x5010_0000;
const TO: u32 = 0x5010_0080;
const BOOT_PARAMS: u32 = 0x4010_0000;

struct Bus(Channel);

impl Bus {
    fn write(&mut self, address: u32, value: u32) {
        self.0.send(&[address, value].map(u32::to_le_bytes).concat()).unwrap();
    }

    fn read(&mut self, address: u32) -> u32 {
        self.0.send(&address.to_le_bytes()).unwrap();
        u32::from_le_bytes(receive(&mut self.0).unwrap().try_into().unwrap())
    }

    fn put(&mut self, address: u32, bytes: &[u8]) {
        for (four, at) in bytes.as_chunks::<4>().0.iter().zip((address..).step_by(4)) {
            self.write(at, u32::from_le_bytes(*four));
        }
    }

    fn get(&mut self, address: u32, size: u32) -> Vec<u8> {
        (address..address + size).step_by(4).flat_map(|at| self.read(at).to_le_bytes()).collect()
    }

    /// As hwkey-agent asks for it: AES-128-ECB of so many blocks with the key of a slot.
    fn set_up(&mut self, slot: u32, blocks: u32) {
        let registers = [
            (0x208, 2 << 5 | 1 << 9 | slot << 24),
            (0x204, 1 << 12),
            (0x20c, FROM),
            (0x210, 16 * blocks),
            (0x214, TO),
        ];
        for (register, value) in registers.into_iter().chain([(0x218, 16 * blocks), (0x22c, blocks - 1)]) {
            self.write(SE + register, value);
        }
    }

    fn encrypt(&mut self, slot: u32, text: &[u8]) -> Vec<u8> {
        self.put(FROM, text);
        self.set_up(slot, text.len() as u32 / 16);
        self.write(OPERATION, 1 | 1 << 16);
        assert_eq!(self.read(STATUS), 0);
        self.get(TO, text.len() as u32)
    }
}

fn aes(key: [u8; 16], text: &[u8]) -> Vec<u8> {
    let cipher = Aes128::new(&key.into());
    let block = |block: &[u8; 16]| {
        let mut block = (*block).into();
        cipher.encrypt_block(&mut block);
        <[u8; 16]>::from(block)
    };
    text.as_chunks().0.iter().flat_map(block).collect()
}

fn own_keys() -> DeviceKeys {
    DeviceKeys::new(&KeysRequest::default(), &Ui::new(Verbosity::Quiet)).unwrap()
}

fn start(more: &[&str]) -> (Emulate, Bus) {
    let emulate = Emulate::test_kernel_with("2MiB", more);
    let bus = Bus(emulate.connect("test.bus"));
    (emulate, bus)
}

#[test]
fn keys_of_the_device_encrypt_and_can_be_replaced() {
    let (emulate, mut bus) = start(&[]);
    let text: Vec<u8> = (0..32).collect();
    let own = own_keys();
    // KEK2 of a device without fuses, its SSK, and a slot that nobody has filled.
    assert_eq!(bus.encrypt(11, &text), aes([0; 16], &text));
    assert_eq!(bus.encrypt(15, &text), aes(*own.ssk.bytes(), &text));
    assert_eq!(bus.encrypt(3, &text), aes([0; 16], &text));
    // CBC from a vector of zeros, and its last block alone: what CMAC is made of.
    let chained = |first: &[u8], second: &[u8]| {
        let mixed: Vec<u8> = first.iter().zip(second).map(|(one, other)| one ^ other).collect();
        aes(*own.ssk.bytes(), &mixed)
    };
    let first = aes(*own.ssk.bytes(), &text[..16]);
    let second = chained(&first, &text[16..]);
    bus.put(FROM, &text);
    for (bits, expected) in [(2 << 1, [&first[..], &second].concat()), (2 << 1 | 1, second.clone())] {
        bus.set_up(15, 2);
        bus.write(SE + 0x208, 2 << 5 | 1 << 9 | 15 << 24 | bits);
        bus.write(SE + 0x218, expected.len() as u32);
        bus.write(OPERATION, 1 | 1 << 16);
        assert_eq!(bus.get(TO, expected.len() as u32), expected, "{bits}");
    }
    // The next operation goes on from there if it says so.
    bus.set_up(15, 1);
    bus.write(SE + 0x208, 2 << 5 | 1 << 9 | 15 << 24 | 2 << 1 | 1 << 7);
    bus.write(OPERATION, 1 | 1 << 16);
    assert_eq!(bus.get(TO, 16), chained(&second, &text[..16]));
    // A key of 256 bits: AES-256 of zeros under zeros (FIPS 197's cipher).
    bus.put(FROM, &[0; 16]);
    bus.set_up(3, 1);
    bus.write(SE + 0x204, 2 << 24 | 1 << 12);
    bus.write(OPERATION, 1 | 1 << 16);
    let zeros =
        [0xdc, 0x95, 0xc0, 0x78, 0xa2, 0x40, 0x89, 0x89, 0xad, 0x48, 0xa2, 0x14, 0x92, 0x84, 0x20, 0x87];
    assert_eq!(bus.get(TO, 16), zeros);
    // A trusted app writes a key.
    let key = *b"a key of its own";
    for (word, four) in key.as_chunks::<4>().0.iter().enumerate() {
        bus.write(KEY_ADDRESS, 14 << 4 | word as u32);
        bus.write(KEY_DATA, u32::from_le_bytes(*four));
    }
    assert_eq!(bus.encrypt(14, &text[..16]), aes(key, &text[..16]));
    // Who reads the mutex has it, until it is given back.
    assert_eq!([bus.read(MUTEX), bus.read(MUTEX)], [1, 0]);
    bus.write(MUTEX, 1);
    assert_eq!(bus.read(MUTEX), 1);
    emulate.stop();
}

#[test]
fn fuses_and_the_ekb_are_what_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let [ekb, kek2] = ["eks.img", "kek2"].map(|name| dir.path().join(name));
    let root = tegra_flash::ekb::Root::sample();
    let blob = tegra_flash::Ekb::seal(&root, &[tegra_flash::ekb::Key::new([7; 16])], None).unwrap();
    std::fs::write(&ekb, &blob).unwrap();
    std::fs::write(&kek2, "000102030405060708090A0B0C0D0E0F\n").unwrap();
    let [ekb, kek2] = [&ekb, &kek2].map(|path| path.to_str().unwrap());
    for (more, contents, key) in [
        (&[][..], own_keys().ekb, [0; 16]),
        (&["--ekb", ekb, "--kek2", kek2][..], blob[16..].to_vec(), std::array::from_fn(|at| at as u8)),
    ] {
        let (emulate, mut bus) = start(more);
        let size = contents.len() as u32;
        assert_eq!(bus.read(BOOT_PARAMS + 144), size);
        assert_eq!(bus.get(BOOT_PARAMS + 148, size), contents);
        assert_eq!(bus.encrypt(11, &[9; 16]), aes(key, &[9; 16]));
        emulate.stop();
    }
    // The chip's number, as `fuse_query_ecid` puts it together.
    let number = 0xabc_def0_1234_5678_9abc_def0_1201_u128 & ((1 << 100) - 1);
    for (more, expected) in [(&[][..], ECID), (&["--ecid", &format!("{number:x}")][..], number)] {
        let (emulate, mut bus) = start(more);
        let fuses = [0x200, 0x204, 0x208, 0x20c, 0x210, 0x214, 0x218, 0x220];
        let [vendor, fab, lot0, lot1, wafer, x, y, reserved] = fuses.map(|offset| bus.read(FUSES + offset));
        let words = [
            reserved | y << 6 | x << 15 | wafer << 24 | lot1 << 30,
            lot1 >> 2 | lot0 << 26,
            lot0 >> 6 | fab << 26,
            vendor,
        ];
        let ecid = words.iter().rev().fold(0, |ecid, word| ecid << 32 | u128::from(*word));
        assert_eq!(ecid, expected, "{ecid:x}");
        emulate.stop();
    }
}

/// What is told, and what somebody does.
type Case<'a> = (&'a str, &'a dyn Fn(&mut Bus));

/// An answer to what the stand-in does not have would be a wrong one.
#[test]
fn what_the_stand_in_does_not_have_is_fatal_and_told() {
    let cases: [Case; 4] = [
        (
            "asked for what the desk does not have: operation 0x10001, config 0x1000, crypto 0xb000041",
            &|bus| {
                bus.set_up(11, 1);
                bus.write(SE + 0x208, 2 << 5 | 1 | 11 << 24);
                bus.write(OPERATION, 1 | 1 << 16);
            },
        ),
        ("is given 16 bytes at 0x40100000 for 1 blocks: they are not Trusty's", &|bus| {
            bus.set_up(11, 1);
            bus.write(SE + 0x20c, BOOT_PARAMS);
            bus.write(OPERATION, 1 | 1 << 16);
        }),
        ("is given 16 bytes at 0x50100000 for 2 blocks", &|bus| {
            bus.set_up(11, 1);
            bus.write(SE + 0x22c, 1);
            bus.write(OPERATION, 1 | 1 << 16);
        }),
        ("security engine: write to 0x400, which the desk does not have", &|bus| bus.write(SE + 0x400, 1)),
    ];
    for (expected, act) in cases {
        let (emulate, mut bus) = start(&[]);
        act(&mut bus);
        let ended = emulate.wait();
        assert_eq!(ended.code, Some(1), "{expected}");
        let message = ended.json["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}
