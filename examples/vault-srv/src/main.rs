//! A vault: Linux gives it a content and a name, and keeps what comes back; under the same name the vault opens it again.
//!
//! A request is one message: u8 what (1 seal, 2 open), u8 length of the name, the name, the content. So is an answer: u8 status, and if
//! that is 0, the sealed or the opened content. Any client may ask: what is protected is what lies in files, not who reads it while the
//! device runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod vault;

use vault::Vault;

trusty_ta::trusted_app!("vault-srv", Vault::default());
