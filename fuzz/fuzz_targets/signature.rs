//! Keys and signatures of anybody: none panics, and none of what is made up is believed.
#![no_main]

use bundle::{Claim, PublicKey};
use libfuzzer_sys::fuzz_target;

/// Of nobody: its secret key was not kept.
const KEY: [u8; 32] = *b"\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = PublicKey::parse_file(data) {
        assert_eq!(PublicKey::parse_file(key.to_text().as_bytes()), Ok(key));
    }
    let _ = std::str::from_utf8(data).map(PublicKey::parse_text);
    if let Ok(claim) = Claim::parse(data) {
        assert!(!claim.comment.contains(char::is_control));
    }
    assert!(PublicKey::from_raw(KEY).verify(b"what was never signed", data).is_err());
});
