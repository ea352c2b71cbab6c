//! What exists only on Trusty: start, heap, panic, system calls.

mod frames;
mod heap;
mod sys;

use crate::console;
use crate::event_loop::Manager;
use crate::port::PortCfg;
use crate::service::Service;
use core::panic::PanicInfo;
pub(crate) use heap::current;
pub use sys::{Kernel, syscall};
use trusty_abi::last_words::Ended;

/// ld.lld keeps `.bss` as NOBITS unless one of its inputs is PROGBITS, and the loader clears it in the file.
#[used]
#[unsafe(link_section = ".ta_bss_progbits")]
static BSS_PROGBITS: u32 = 1;

/// Runs a TA: heap, ports, event loop. Returns never; `exit_group` ends it after an error.
pub fn run<S: Service>(
    name: &'static str,
    manifest: &'static [u32],
    ports: &'static [PortCfg],
    service: impl FnOnce() -> S,
) -> ! {
    console::set_name(name);
    console::set_manifest(manifest);
    heap::start(crate::manifest::heap(manifest));
    let error = Manager::new(service(), ports).run_event_loop();
    crate::log!("stops: {error}");
    exit(&[])
}

/// The words are those of [`trusty_abi::last_words`].
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let chain = match heap::shortage_behind(info) {
        Some((shortage, chain)) => {
            crate::log!("{shortage}");
            chain
        }
        None => {
            crate::log!("{info}");
            frames::chain()
        }
    };
    exit(chain.addresses())
}

/// Ends the TA. The kernel does not close its channels, and clients would hang for ever: so all are closed first, also
/// those whose owner is lost in a panic. A number that is no handle is refused.
fn exit(chain: &[u32]) -> ! {
    use crate::syscalls::Syscalls;
    crate::log!("{}", Ended { uuid: console::uuid(), chain });
    for handle in 0..trusty_abi::limit::HANDLES as u32 {
        let _ = Kernel.close(handle);
    }
    loop {
        sys::exit_group();
    }
}
