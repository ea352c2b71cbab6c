//! Trusted apps on the desk: what is flashed, run before it is flashed.

use crate::builds::desk::{ends, receive};
use crate::builds::util::{desk, small, xtask};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// `emulate BUNDLE OPTIONS -- CLIENT ARGUMENTS`
pub fn emulate<'a>(bundle: &'a Path, options: &[&'a str], client: &[&'a str]) -> crate::builds::util::Ran {
    let arguments = [OsStr::new("emulate"), bundle.as_os_str()].into_iter();
    let options = options.iter().map(OsStr::new);
    let client = client.iter().map(OsStr::new);
    xtask(arguments.chain(options).chain([OsStr::new("--")]).chain(client))
}

/// A product of the virt board without a root filesystem, and its bundle.
fn product(dir: &Path, tzdram: &str, trusted_app: &str) -> PathBuf {
    let config = dir.join("product.yaml");
    let text = format!(
        "name: forum\nversion: 0.1.0\nboard: virt\ntzdram: {{ size: {tzdram}, alignment: 1MiB }}\n\
         trusted_apps:\n  - {trusted_app}\nclient_apps: [echo-srv-app]\n"
    );
    fs::write(&config, text).unwrap();
    config
}

pub fn image(dir: &Path, tzdram: &str, trusted_app: &str) -> PathBuf {
    let config = product(dir, tzdram, trusted_app);
    let out = dir.join(tzdram);
    let paths = [config.as_os_str(), OsStr::new("-o"), out.as_os_str()];
    PathBuf::from(xtask([OsStr::new("image"), OsStr::new("-c")].into_iter().chain(paths)).ok())
}

/// The board's own client app, out of the bundle's package.
#[test]
fn values_are_echoed_refused_and_echoed_again() {
    let echoed = emulate(desk(), &[], &["--ta", "echo-srv", "--count", "64000", "--rounds", "3"]).ok();
    assert!(echoed.contains("64000 values (256000 bytes) came back intact, 3 times"), "{echoed}");
    let refused = emulate(desk(), &[], &["--ta", "small-echo-srv", "--count", "64000"]).fails(1);
    assert!(refused.contains("256000 bytes (64000 values) were asked for"), "{refused}");
    assert!(refused.contains("it has room for 81920 (20480 values)"), "{refused}");
    let echoed = emulate(desk(), &[], &["--ta", "small-echo-srv", "--count", "20480"]).ok();
    assert!(echoed.contains("20480 values"), "{echoed}");
}

/// Each outcome, and the whole: of trusted apps as they should be, and of one whose heap is too small.
#[test]
fn a_self_test_tells_right_from_wrong() {
    let table = emulate(desk(), &[], &["--self-test"]).ok();
    let rows: Vec<_> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let expected = [
        "trusted app count bytes result",
        "echo-srv 1000 4000 intact",
        "echo-srv 2048 8192 intact",
        "echo-srv 20480 81920 intact",
        "echo-srv 64000 256000 intact",
        "small-echo-srv 1000 4000 intact",
        "small-echo-srv 2048 8192 intact",
        "small-echo-srv 20480 81920 intact",
        "small-echo-srv 64000 256000 refused: needs 256000 bytes, may hold 81920",
        "small-echo-srv 100 400 intact, after the refusal",
        "all outcomes are right",
    ];
    assert_eq!(rows, expected);
    let strict = emulate(desk(), &[], &["--self-test", "--ta", "small-echo-srv"]).fails(1);
    assert!(strict.contains("small-echo-srv refused 64000 values, and may hold 81920 bytes"), "{strict}");
    let missing = emulate(desk(), &[], &["--self-test", "--ta", "no-srv"]).fails(3);
    assert!(missing.contains("no-srv is not there"), "{missing}");
    let usage = emulate(desk(), &[], &["--self-test", "--count", "1"]).fails(2);
    assert!(usage.contains("--self-test") && usage.contains("--count"), "{usage}");
    // A finished ELF file declares no heap_demand: as a package, with this heap, it would not be built.
    let dir = tempfile::tempdir().unwrap();
    let elf = desk().join("trusted-apps/echo-srv.elf");
    let lowered = format!("{{ elf: {}, min_heap: 128KiB }}", elf.display());
    let lowered = image(dir.path(), "16MiB", &lowered);
    let failure = emulate(&lowered, &["--json"], &["--self-test", "--json"]).failure();
    let message = failure["message"].as_str().unwrap();
    for expected in ["\"refused\"", "\"not there\"", "\"needs\": 256000"] {
        assert!(message.contains(expected), "{expected} in {message}");
    }
    let error = emulate(&lowered, &[], &["--self-test"]).fails(1);
    let reason = "echo-srv refused 1000, 2048, 20480, 64000 values, and may hold 0 bytes: its heap (min_heap) is too small, \
                  whatever the carve-out";
    assert!(error.contains(reason), "{error}");
}

#[test]
fn five_mebibytes_come_back_bit_identical_through_either_client() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("in"), dir.path().join("out"));
    let mut state = 7u64;
    let bytes: Vec<u8> = std::iter::from_fn(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some((state >> 33) as u8)
    })
    .take(5 << 20)
    .collect();
    fs::write(&from, &bytes).unwrap();
    let files = ["--file", from.to_str().unwrap(), "--output", to.to_str().unwrap()];
    for client in ["deb", "host"] {
        // Of a package it may write what it is given, and nothing else.
        let writes: &[&str] = if client == "deb" { &["--writes", files[3]] } else { &[] };
        emulate(desk(), &[&["--client", client], writes].concat(), &files).ok();
        assert!(fs::read(&to).unwrap() == bytes, "{client}");
        fs::remove_file(&to).unwrap();
    }
}

#[test]
fn figures_are_told_for_people_and_machines() {
    let people = emulate(desk(), &["--profile"], &["--count", "64000"]).ok();
    assert!(people.contains("min_heap") && people.contains("small-echo-srv"), "{people}");
    let machines = emulate(desk(), &["--profile", "--json"], &["--count", "64000", "--json"]).result();
    assert_eq!(machines["client"]["intact"], true);
    let row = &machines["profile"][0];
    assert_eq!(row["name"], "echo-srv");
    let used = row["heap_used"].as_u64().unwrap();
    assert!((256_000..=262_144).contains(&used), "{used}");
    assert_eq!(machines["stats"]["lost"], 0);
    assert_eq!(machines["stats"]["trusted_apps"][0]["handles"], 1, "only its port is left");
}

/// The forum's case: unchecked, under the default heap. What mends it, and what does not.
#[test]
fn the_forums_crash_is_explained_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let payload = ["--ta", "unchecked-srv", "--count", "64000"];
    for tzdram in ["16MiB", "64MiB"] {
        let crash = emulate(&image(dir.path(), tzdram, "unchecked-srv"), &[], &payload).fails(1);
        assert!(crash.contains("unchecked-srv: all data initialised"), "{crash}");
        let diagnosis = "unchecked-srv faults: null + 0 written: the last brk was refused; the heap is 16 KiB by \
                         manifest, 252 KiB were asked";
        assert!(crash.contains(diagnosis), "{tzdram}: {crash}");
        assert!(crash.contains("memcpy"), "the place has a name: {crash}");
        for expected in [
            "  place examples/unchecked-srv/src/main.rs:",
            "would have had room in a heap of 252 KiB",
            "    min_heap = 258048",
        ] {
            assert!(crash.contains(expected), "{expected} in {crash}");
        }
    }
    let mended = image(dir.path(), "16MiB", "{ package: unchecked-srv, min_heap: 252KiB }");
    let echoed = emulate(&mended, &[], &payload).ok();
    assert!(echoed.contains("64000 values (256000 bytes) came back intact"), "{echoed}");
}

/// Allocations that fail, a panic and a null write: each with the place in the app's own source.
#[test]
fn ends_of_trusted_apps_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = image(dir.path(), "16MiB", "unchecked-srv");
    crate::builds::desk::ends::check(&bundle, "unicorn");
    // Without a bundle there are no lines, and names are the ELF file's.
    let (run, mut client) = ends::ask(&bundle.join("secure-os/tos.img"), "unicorn", "panic");
    assert!(matches!(receive(&mut client), Err(tipc::Error::Closed)));
    run.signal("-INT");
    let said = run.wait().stderr;
    assert!(said.contains("has ended: panicked at examples/unchecked-srv/src/ends.rs:"), "{said}");
    assert!(said.contains("(unchecked_srv::ends::check + 0x") && !said.contains("main.rs:"), "{said}");
}

/// The heap that is named is enough, and a page less is not.
#[test]
fn the_heap_that_is_named_is_the_least() {
    let dir = tempfile::tempdir().unwrap();
    let with = |heap: u32| {
        let app = format!("{{ package: unchecked-srv, min_heap: {}KiB }}", heap / 1024);
        let (run, mut client) = ends::ask(&image(dir.path(), "16MiB", &app), "unicorn", "vec 50000");
        let answer = receive(&mut client);
        run.signal("-INT");
        (answer, run.wait().stderr)
    };
    let (_, said) = with(16384);
    let named = said.lines().find_map(|line| line.trim().strip_prefix("min_heap = "));
    let enough: u32 = named.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert_eq!(with(enough).0.unwrap(), b"still here", "{enough}");
    let (answer, said) = with(enough - 4096);
    assert!(matches!(answer, Err(tipc::Error::Closed)), "{answer:?}");
    assert!(said.contains(&format!("min_heap = {enough}")), "{said}");
}

/// The ELF file that ships is what it was without lines, and what names them has no path of this machine.
#[test]
fn symbols_stay_beside_what_ships() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = image(dir.path(), "16MiB", "{ package: unchecked-srv, min_heap: 64KiB }");
    let read = |name: &str| fs::read(bundle.join("trusted-apps").join(name)).unwrap();
    let (elf, debug) = (read("unchecked-srv.elf"), read("unchecked-srv.debug"));
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!has(&elf, ".debug_line") && has(&elf, "rust_begin_unwind"), "stripped of lines, not of names");
    assert!(has(&debug, ".debug_line"));
    for path in [crate::builds::util::root(), PathBuf::from(std::env::var_os("HOME").unwrap())] {
        let path = path.to_str().unwrap();
        assert!(!has(&debug, &format!("{path}/")), "{path}");
    }
    // Another app's lines would be wrong ones.
    let path = bundle.join("trusted-apps/unchecked-srv.debug");
    fs::copy(desk().join("trusted-apps/echo-srv.debug"), &path).unwrap();
    let error = xtask([OsStr::new("verify"), bundle.as_os_str()]).fails(1);
    assert!(error.contains("trusted-apps/unchecked-srv.debug: has "), "{error}");
}

#[test]
fn plans_tell_what_fails_and_what_serves() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |tzdram: &str, app: &str| {
        let config = product(dir.path(), tzdram, app);
        xtask([OsStr::new("plan"), OsStr::new("--json"), OsStr::new("-c"), config.as_os_str()])
    };
    let codes = |json: &str| {
        let json: Value = serde_json::from_str(json).unwrap();
        let findings = json["result"]["findings"].as_array().unwrap().clone();
        findings.iter().map(|f| f["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let forum = "{ package: echo-srv, min_heap: 16KiB }";
    for tzdram in ["16MiB", "64MiB"] {
        let refused = plan(tzdram, forum);
        assert_eq!(codes(&refused.stdout()), ["heap-demand"]);
        refused.fails(1);
    }
    assert_eq!(codes(&plan("16MiB", "echo-srv").ok()), ["tzdram-spare"]);
    assert_eq!(codes(&plan("1MiB", "echo-srv").ok()), Vec::<String>::new());
    let text = xtask(["plan"]).ok();
    for expected in
        ["TZDRAM carve-out", "echo-srv heap", "partition secure-os", "address space of small-echo-srv"]
    {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(!text.contains('█'), "no bars where nobody looks");
}

/// A virt device is a GPT disk image; its secure-os partition is larger than the image in it.
#[test]
fn a_virt_devices_trusted_apps_run() {
    let dir = tempfile::tempdir().unwrap();
    let image = fs::read(desk().join("secure-os/tos.img")).unwrap();
    let disk = dir.path().join("disk.img");
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&disk).unwrap();
    file.set_len(8 << 20).unwrap();
    let mut gpt = gpt::GptConfig::new().writable(true).create(&disk).unwrap();
    gpt.add_partition("other", 1 << 20, gpt::partition_types::BASIC, 0, None).unwrap();
    let id = gpt.add_partition("secure-os", 2_621_440, gpt::partition_types::BASIC, 0, None).unwrap();
    let start = gpt.partitions()[&id].bytes_start(*gpt.logical_block_size()).unwrap();
    gpt.write().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &image, start).unwrap();
    let target = PathBuf::from(format!("virt:{}", disk.display()));
    let client = carveout_host::dirs::Dirs::of(&crate::builds::util::root())
        .home()
        .join("cargo/run/debug/echo-srv-app");
    emulate(desk(), &["--client", "host"], &["--count", "1"]).ok();
    let client = client.to_str().unwrap();
    assert!(emulate(&target, &["--client", client], &["--count", "20480"]).ok().contains("came back intact"));
    // Nobody knows its bundle: the workspace's own client app serves, as the guides write the command.
    let ran = emulate(&target, &[], &["--count", "20480"]);
    assert!(
        ran.stderr().contains("client app echo-srv-app_0.1.0-1_arm64.deb, of this workspace"),
        "{}",
        ran.stderr()
    );
    assert!(ran.ok().contains("came back intact"));
    let error = emulate(&target, &["--client", "echo-app"], &["--count", "1"]).fails(2);
    assert!(error.contains("unknown package `echo-app`: this workspace has echo-srv-app"), "{error}");
    let error = emulate(desk(), &["--client", "echo-app"], &["--count", "1"]).fails(2);
    assert!(error.contains("no client app `echo-app`: the bundle has echo-srv-app. Did you mean"), "{error}");
    assert!(
        emulate(desk(), &["--client", "echo-srv-app"], &["--count", "1"]).ok().contains("came back intact")
    );
    let deb = desk().join("client-apps/echo-srv-app_0.1.0-1_arm64.deb");
    let deb = deb.to_str().unwrap();
    assert!(emulate(&target, &["--client", deb], &["--count", "1"]).ok().contains("came back intact"));
}

#[test]
fn what_cannot_be_emulated_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = small(dir.path(), &[]);
    let run = |target: &str| xtask(["emulate", "--client", "host", target, "--", "--count", "1"]);
    assert!(run("/nonexistent").fails(2).contains("/nonexistent: No such file"));
    assert!(run("/dev").fails(2).contains("no bundle"));
    assert!(run("virt:/etc/passwd").fails(2).contains("no virt device"));
    let tos = bundle.join("secure-os/tos.img");
    let mut bytes = fs::read(&tos).unwrap();
    bytes[5000] ^= 1;
    fs::write(&tos, &bytes).unwrap();
    let error = run(bundle.to_str().unwrap()).fails(1);
    assert!(error.contains("secure-os/tos.img: has sha256"), "{error}");
    fs::remove_file(&tos).unwrap();
    assert!(run(bundle.to_str().unwrap()).fails(1).contains("tos.img"));
    let socket = dir.path().join("taken");
    fs::write(&socket, "").unwrap();
    let error = emulate(desk(), &["--listen", socket.to_str().unwrap()], &["--count", "1"]).fails(2);
    assert!(error.contains("exists already"), "{error}");
}

/// NVIDIA's own trusted apps, out of the secure-os image of a BSP: their services start, and their test of the kernel's IPC,
/// some 127000 conditions, passes on our model of it.
#[test]
fn stock_trusted_apps_run_and_pass_their_own_test() {
    let Some(bsp) = std::env::var_os("CARVEOUT_L4T_BSP") else {
        println!("skipped: CARVEOUT_L4T_BSP names no L4T R32 BSP (Linux_for_Tegra)");
        return;
    };
    let image = Path::new(&bsp).join("bootloader/tos-trusty_t194.img");
    let options = ["--backend", "unicorn", "--ipc-unittest"].map(OsStr::new);
    let verdict = xtask([OsStr::new("emulate"), image.as_os_str()].into_iter().chain(options)).ok();
    assert_eq!(verdict, "ipc-unittest: PASSED");
}

/// Two clients at once, and one that is killed in the midst of a transfer: the other's bytes come back, and nothing is left.
#[test]
fn clients_share_and_vanish() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("trusty");
    let stats = dir.path().join("stats.json");
    emulate(desk(), &["--client", "host"], &["--count", "1"]).ok();
    let host = carveout_host::dirs::Dirs::of(&crate::builds::util::root()).home().join("cargo/host");
    let mut emulator = Command::new(host.join("desk/trusty-emulator"))
        .args(["--until-eof", "--image"])
        .arg(desk().join("secure-os/tos.img"))
        .arg("--listen")
        .arg(&socket)
        .arg("--stats")
        .arg(&stats)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(emulator.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let big = dir.path().join("big");
    fs::write(&big, vec![9; 40 << 20]).unwrap();
    let client = |arguments: &[&str]| {
        let mut command = Command::new(host.with_file_name("run").join("debug/echo-srv-app"));
        command.arg("--device").arg(&socket).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    for _ in 0..5 {
        let mut victim = client(&["--file", big.to_str().unwrap()]);
        let mut other = client(&["--count", "64000", "--rounds", "4"]);
        assert!(other.wait().unwrap().success());
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    let (mut one, mut two) =
        (client(&["--file", big.to_str().unwrap()]), client(&["--file", big.to_str().unwrap()]));
    assert!(one.wait().unwrap().success() && two.wait().unwrap().success());
    drop(emulator.stdin.take());
    assert!(emulator.wait().unwrap().success());
    let stats: Value = serde_json::from_slice(&fs::read(&stats).unwrap()).unwrap();
    assert_eq!((&stats["lost"], &stats["channels"], &stats["unread"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(stats["trusted_apps"][0]["handles"], 1);
    assert_eq!(stats["trusted_apps"][0]["heap_brk"], 258_048, "as after its start");
}
