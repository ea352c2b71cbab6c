//! Secrets that are given where a name is expected. The answer: none is shown, and none becomes a name.

use super::Place;
use crate::report::small;
use std::fs;
use std::path::Path;

#[test]
fn a_key_that_is_given_as_text_is_not_shown() {
    let place = Place::new();
    let (key, data) = (place.path("k").display().to_string(), place.file("data", "x"));
    let made = place.command(&["key", "new", &key, "--no-password"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = fs::read_to_string(&key).unwrap();
    let secret = file.lines().nth(1).unwrap();
    let bundle = place.path(&small::write(place.0.path(), "1.0.0", 32 << 20)).display().to_string();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----");
    let (signs, keys) = (format!("--sign={file}"), format!("--key={file}"));
    for text in [file.as_str(), file.trim(), secret, &pem] {
        let config = place.file(
            "p.yaml",
            format!("name: a\nversion: 1.0.0\nboard: jetson-agx-xavier\nl4t:\n  pkc_key: {text:?}\n"),
        );
        let broken = place.file("q.yaml", format!("name: a\nl4t:\n  pkc_key: -----BEGIN\n{secret}\n"));
        let out = place.path("out").display().to_string();
        for arguments in [
            &["key", "sign", &data, "--sign", text][..],
            &["key", "public", text],
            &["release", "-o", &out, "--sign", text],
            &["verify", &bundle, "--key", text],
            &["flash", &bundle, "--to", "virt:x.img", "--key", text],
            &["verify", &bundle, text],
            &["verify", &bundle, &signs],
            &["inspect", &bundle, &keys],
            &[text],
            &["key", "new", text, "--no-password"],
            &["key", "sign", text],
            &["inspect", text],
            &["flash", &bundle, "--to", text],
            &["flash", "--channel", text, "--to", "virt:x.img"],
            &["emulate", &bundle, "--client", text],
            &["plan", "--offline", "-c", &config],
            &["plan", "--offline", "-c", &broken],
        ] {
            for json in [&[][..], &["--json"]] {
                let output = place.command(&[arguments, json].concat()).output().unwrap();
                assert_ne!(output.status.code(), Some(0));
                let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
                // Not in parts, either.
                let part = secret
                    .as_bytes()
                    .windows(16)
                    .find(|part| told.contains(std::str::from_utf8(part).unwrap()));
                assert_eq!(part, None, "{arguments:?}: {told}");
            }
        }
    }
    let pin = "pkcs11:token=a;object=b?pin-value=7391";
    for arguments in [
        &["key", "public", pin][..],
        &["key", "sign", &data, "--sign", pin],
        &["key", "sign", &data, "--sign", "PKCS11:token=a?pin-value=7391"],
        &["verify", &bundle, "--key", pin],
        &["verify", &bundle, pin],
    ] {
        let output = place.command(arguments).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!told.contains("7391") && told.contains("error"), "{told}");
    }
    // A user and a password in an address that is refused before anything is asked of it.
    let url = "https://robot:7391@releases.example/c";
    for arguments in [
        &["verify", &bundle, url][..],
        &["flash", &bundle, "--chanel", url],
        &["verify", &bundle, "--key", url],
        &["key", "public", &format!("--kez={url}")],
    ] {
        let output = place.command(arguments).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!told.contains("7391") && told.contains("error"), "{told}");
    }
    // No record and no log has it.
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/carveout/logs");
    for file in fs::read_dir(log).into_iter().flatten().flatten() {
        assert!(!String::from_utf8_lossy(&fs::read(file.path()).unwrap_or_default()).contains(secret));
    }
}
