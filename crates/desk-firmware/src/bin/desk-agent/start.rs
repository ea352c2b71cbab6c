//! Start, and the loop.

use crate::connections::Connections;
use crate::host::Host;
use crate::interrupts;
use crate::trusty::{Dead, Trusty};
use core::arch::global_asm;
use desk_firmware::machine;

global_asm!(
    r#"
    // Makes the linker give zeroes room in the file.
    .section .data.first, "aw", %progbits
    .quad 0
    .section .text.start, "ax"
    .globl _start
_start:
    ldr x0, =0x40400000
    mov sp, x0
    bl agent
    b .
    .ltorg
"#
);

/// Frames of the host before Trusty and its messages have their turn.
const TURN: usize = 16;

#[unsafe(no_mangle)]
extern "C" fn agent() -> ! {
    interrupts::enable();
    // Without a host there is nobody to tell.
    let Some(mut host) = Host::open() else { machine::sleep_for_ever() };
    let mut trusty = Trusty::new();
    let ended = run(&mut host, &mut trusty);
    host.dead(format_args!("{ended}"));
    machine::sleep_for_ever()
}

fn run(host: &mut Host, trusty: &mut Trusty) -> Dead {
    let run = |host: &mut Host, trusty: &mut Trusty| -> Result<(), Dead> {
        trusty.start(host)?;
        // Trusted apps start, and wait for clients.
        trusty.run_all(host)?;
        host.ready();
        let mut connections = Connections::new();
        loop {
            let mut busy = false;
            for _ in 0..TURN {
                let Some((header, payload)) = host.next_frame() else { break };
                connections.take(header, &payload, trusty, host)?;
                busy = true;
            }
            host.report();
            busy |= connections.poll(trusty, host)?;
            busy |= trusty.run(host)?;
            busy |= connections.poll(trusty, host)?;
            if !busy && !host.pending() {
                machine::sleep();
            }
        }
    };
    match run(host, trusty) {
        Err(dead) => dead,
        Ok(()) => Dead::Ended,
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if let Some(mut host) = Host::open() {
        host.dead(format_args!("the agent: {info}"));
    }
    machine::sleep_for_ever()
}
