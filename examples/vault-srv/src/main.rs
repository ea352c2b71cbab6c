//! A vault: Linux gives it a content and a name, and keeps what comes back; under the same name the vault opens it again.
//!
//! It also makes secrets that nobody has seen, once a client has sent it entropy. Requests and answers: `vault_service`. Any client may
//! ask: what is protected is what lies in files, not who reads it while the device runs.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod vault;

use vault::Vault;

trusty_ta::trusted_app!("vault-srv", Vault::default());
