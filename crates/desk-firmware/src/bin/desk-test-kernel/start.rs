//! Start, and the calls of the non-secure side.

use crate::channels::Channels;
use crate::console::print;
use crate::{memory, monitor, timer};
use core::arch::global_asm;
use desk_firmware::smc::{self, result};

global_asm!(
    r#"
    // Makes the linker give zeroes room in the file.
    .section .data.first, "aw", %progbits
    .quad 0
    .section .text.start, "ax"
    .globl _start
_start:
    // The stack that firmware has left is the end of memory: x0 bytes from here.
    adr x4, _start
    add x4, x4, x0
    mov sp, x4
    adr x4, vectors
    msr vbar_el1, x4
    isb
    bl kernel
    b .

    .balign 2048
vectors:
    .rept 5
    b exception
    .balign 128
    .endr
    // IRQ of this level.
    b irq
    .balign 128
    .rept 10
    b exception
    .balign 128
    .endr

exception:
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    bl sync_exception
    b .

irq:
    stp x0, x1, [sp, #-176]!
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    bl take_irq
    // One that is not ours stays pending: masked from here on, until the non-secure side has had it.
    cbz x0, 1f
    mrs x1, spsr_el1
    orr x1, x1, #0x80
    msr spsr_el1, x1
1:
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x30, [sp, #144]
    ldp x0, x1, [sp], #176
    eret
"#
);

#[unsafe(no_mangle)]
extern "C" fn kernel(size: u64, boot_params: u64, boot_params_size: u64) -> ! {
    print(format_args!("test kernel: 0x{size:x} bytes, boot parameters of 0x{boot_params_size:x} bytes"));
    memory::init(size);
    if memory::boot_params(boot_params) != [1, 0xfe] {
        panic(format_args!("boot parameters are not as they should be"));
    }
    let mut channels = Channels::new(size);
    let mut answer = 0;
    loop {
        let [number, a, b, c] = monitor::return_to_non_secure(answer);
        answer = match number as u32 {
            smc::API_VERSION => a.min(smc::API_VERSION_SMP.into()) as i32,
            smc::NOP if timer::allow_interrupts() => result::NOP_INTERRUPTED,
            smc::NOP => result::NOP_DONE,
            smc::QL_CREATE => channels.create(a | b << 32, c),
            smc::QL_COMMAND => channels.command(a | b << 32, c),
            _ => result::UNDEFINED,
        };
    }
}

#[unsafe(no_mangle)]
extern "C" fn sync_exception(esr: u64, elr: u64, far: u64) -> ! {
    print(format_args!("sync_exception: elr 0x{elr:x} far 0x{far:x}"));
    panic(format_args!("ESR 0x{esr:x}"))
}

/// As LK does it: a line, and then nothing but SM_ERR_PANIC.
pub fn panic(why: core::fmt::Arguments<'_>) -> ! {
    print(format_args!("panic (caller test): {why}"));
    loop {
        monitor::return_to_non_secure(result::PANIC);
    }
}

#[panic_handler]
fn rust_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    panic(format_args!("{info}"))
}
