//! Trusty's device in the guest, and virt devices that boot.

use super::{linux, product, script};
use crate::builds::field::open;
use crate::builds::util::{desk, xtask};
use carveout_build::workshop::Sources;
use carveout_desk::Workshop;
use carveout_host::dirs::Dirs;
use carveout_host::ui::{Ui, Verbosity};
use std::process::Command;
use virt_device::{DevicePart, Slot};

/// What NVIDIA's driver answers (drivers/trusty/trusty-ipc.c of R32): read there, not run.
const ANSWERS: &str = "\
read before a connection: Transport endpoint is not connected (os error 107)
write before a connection: Transport endpoint is not connected (os error 107)
poll before a connection: \"[\\\"OUT\\\", \\\"ERR\\\"]\"
connect to a port that is not there: Transport endpoint is not connected (os error 107)
the same with a name of 300 bytes: Transport endpoint is not connected (os error 107)
another ioctl of the driver's type: Invalid argument (os error 22)
an ioctl of another type: Inappropriate ioctl for device (os error 25)
connect after a refusal: ()
connect twice: Transport endpoint is already connected (os error 106)
poll: \"[\\\"OUT\\\"]\"
write 4081 bytes: Message too long (os error 90)
write 4080 bytes: 4080
wait for the answer: \"[\\\"IN\\\", \\\"OUT\\\"]\"
read into 4079 bytes: Message too long (os error 90)
read into 4080 bytes: 4080
the same bytes: true
read without blocking: Resource temporarily unavailable (os error 11)
connections at once: 9
each gets its own answer: true
";

#[test]
fn the_device_answers_as_nvidias_driver_does() {
    let (dirs, ui) = (Dirs::find(), Ui::new(Verbosity::Quiet));
    let agent = Sources::new(&dirs, false, &ui).guest_agent().unwrap();
    let check = agent.with_file_name("device-check");
    let option = format!("--copy-in={}:/run/check", check.display());
    let value = linux(
        product().to_str().unwrap(),
        &["--snapshot", "--json", &option],
        &["/run/check", "com.carveout.conformance.peer"],
    )
    .result();
    assert_eq!(value["client"].as_str().unwrap(), ANSWERS);
}

/// 5 MiB there and back are cut off by a signal that nobody can catch: the trusted app has its room again. That a client has gone takes its
/// way through the guest and the relay.
#[test]
fn a_killed_client_leaves_no_connection() {
    let text = "i=0; while [ $i -lt 8 ]; do echo-srv-app --ta echo-srv --count 64000 > /dev/null & sleep 0.1; kill -9 $!; wait $!
        i=$((i+1)); done; echo-srv-app --self-test | tail -1; sleep 2";
    let value = linux(product().to_str().unwrap(), &["--snapshot", "--json"], &script(text)).result();
    assert_eq!(value["client"], "all outcomes are right\n");
    assert_eq!((&value["stats"]["channels"], &value["stats"]["unread"]), (&0.into(), &0.into()), "{value}");
}

/// A device keeps what its guest writes; a reboot there starts both worlds again, from the slots that are active then; and the root
/// filesystem that was before is gone back to as it was left.
#[test]
fn a_device_keeps_what_its_guest_writes_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("device.img");
    let device = format!("virt:{}", file.display());
    let flash = || xtask(["flash", desk().to_str().unwrap(), "--to", &device]).ok();
    let error = linux("virt:/no/device", &[""; 0], &["true"]).fails(2);
    assert!(error.contains("/no/device"), "{error}");
    flash();
    let text = "echo first > /root/kept; sync; echo-srv-app --self-test | tail -1";
    assert_eq!(linux(&device, &[""; 0], &script(text)).ok(), "all outcomes are right");
    assert_eq!(linux(&device, &[""; 0], &["ls", "/root"]).ok(), "", "changes are thrown away");
    let used = |slot| {
        let device = open(&file);
        let placed = device.state().active.as_ref().unwrap().parts[&DevicePart::App].clone();
        assert_eq!(placed.slot, slot);
        placed.used
    };
    assert!(!used(Slot::A));
    // It is written, starts again by itself, and what was written is there.
    let text = "echo kept > /root/kept; until systemctl reboot 2>/dev/null; do sleep 0.5; done; sleep 100";
    let ran = linux(&device, &["--persist", "--json"], &script(text)).result();
    assert_eq!(ran["linux"]["reboots"], 1, "{ran}");
    assert_eq!(linux(&device, &[""; 0], &["cat", "/root/kept"]).ok(), "kept");
    assert!(used(Slot::A));
    // The next flash goes to the other slot; the one before is gone back to with what was written.
    flash();
    assert!(!used(Slot::B));
    assert_eq!(linux(&device, &[""; 0], &["ls", "/root"]).ok(), "");
    xtask(["rollback", &device]).ok();
    assert!(used(Slot::A));
    assert_eq!(linux(&device, &[""; 0], &["cat", "/root/kept"]).ok(), "kept");
    // Nothing is written by `auto`: the bundle is the same, and what the guest has written stays.
    let told = xtask(["flash", desk().to_str().unwrap(), "--to", &device, "--scope", "auto"]).ok();
    assert!(!told.contains("error"), "{told}");
    assert_eq!(linux(&device, &[""; 0], &["cat", "/root/kept"]).ok(), "kept");
    // While it runs nobody flashes it.
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["emulate", &device, "--linux", "--persist", "--"]).args(["sleep", "1000"]);
    let mut running = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let flash = || xtask(["flash", desk().to_str().unwrap(), "--to", &device]);
    let mut refused = String::new();
    while !refused.contains("in use") && std::time::Instant::now() < until {
        let locked = std::fs::File::open(&file).unwrap().try_lock_shared().is_err();
        if locked {
            refused = flash().fails(1);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(refused.contains("in use"), "{refused}");
    let pid = rustix::process::Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(130));
}
