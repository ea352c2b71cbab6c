//! What exists only on Trusty: start, heap, panic, system calls.

mod sys;

use crate::{Manager, PortCfg, Service, console, log};
use core::panic::PanicInfo;
use linked_list_allocator::Heap;
pub use sys::Kernel;

/// The heap, over one block that the kernel gives.
struct Allocator(core::cell::UnsafeCell<Heap>);

// SAFETY: a TA has one thread (Trusty knows no others) and no interrupts, so nothing is ever shared.
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(core::cell::UnsafeCell::new(Heap::empty()));

// SAFETY: forwards to the allocator crate's own heap, which keeps the contract of GlobalAlloc; the exclusive
// reference is short-lived and there is one thread.
unsafe impl core::alloc::GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: core::alloc::Layout) -> *mut u8 {
        // SAFETY: one thread, see above.
        let heap = unsafe { &mut *self.0.get() };
        heap.allocate_first_fit(layout).map_or(core::ptr::null_mut(), core::ptr::NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: core::alloc::Layout) {
        // SAFETY: one thread; the caller gives back what alloc gave, which is never null.
        unsafe { (*self.0.get()).deallocate(core::ptr::NonNull::new_unchecked(pointer), layout) }
    }
}

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
    let heap = crate::manifest::heap(manifest);
    match sys::grow_heap(heap) {
        // SAFETY: the kernel has just given this block to us, and only here, once.
        Ok(start) => unsafe { (*ALLOCATOR.0.get()).init(start, heap) },
        Err(error) => log!("the kernel refuses a heap of {heap} bytes: {error}"),
    }
    let error = Manager::new(service(), ports).run_event_loop();
    log!("stops: {error}");
    exit()
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    log!("{info}");
    exit()
}

/// Ends the TA. The kernel does not close its channels, and clients would hang for ever: so all are closed first, also
/// those whose owner is lost in a panic. A number that is no handle is refused.
fn exit() -> ! {
    use crate::Syscalls;
    for handle in 0..trusty_abi::limit::HANDLES as u32 {
        let _ = Kernel.close(handle);
    }
    loop {
        sys::exit_group();
    }
}
