//! Keys and signatures of anybody: none panics, and none of what is made up is believed.
#![no_main]

use bundle::{Claim, PublicKey};
use libfuzzer_sys::fuzz_target;

/// Of nobody: its secret key was not kept.
const KEY: [u8; 32] = *b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = PublicKey::parse(text) {
        assert_eq!(PublicKey::parse(&key.to_text()).map(|again| again.id()), Ok(key.id()));
    }
    let _ = Claim::parse(text);
    if let Ok(key) = PublicKey::from_raw(KEY) {
        assert!(key.verify(b"what was never signed", text).is_err());
    }
});
