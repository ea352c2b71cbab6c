//! Whatever is read as a misc boot config is edited without loss.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tegra_bct::MiscCfg;

fuzz_target!(|data: &[u8]| {
    let Ok(mut cfg) = MiscCfg::parse(data) else { return };
    assert_eq!(cfg.as_bytes(), data);
    let Some((key, _)) = cfg.entries().next().map(|(key, value)| (key.to_owned(), value)) else { return };
    let others: Vec<(String, u64)> =
        cfg.entries().filter(|(k, _)| *k != key).map(|(k, v)| (k.to_owned(), v)).collect();
    cfg.set(&key, 0x0400_0000).expect("the key exists");
    let again = MiscCfg::parse(cfg.as_bytes()).expect("an edit keeps the file readable");
    assert_eq!(again.get(&key), Ok(0x0400_0000));
    for (other, value) in others {
        assert_eq!(again.get(&other), Ok(value));
    }
});
