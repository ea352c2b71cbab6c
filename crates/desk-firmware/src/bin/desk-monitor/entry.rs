//! Reset and exception vectors: the only assembly of the monitor.
//!
//! At EL3, TPIDR_EL3 points at the context of the world that runs below; an exception saves its general registers there, and
//! `el3_exception` returns the context to go on with. At S-EL2 the registers are saved on the stack.

use core::arch::global_asm;

global_asm!(
    r#"
    .macro save_to base
    stp x2, x3, [\base, #16]
    stp x4, x5, [\base, #32]
    stp x6, x7, [\base, #48]
    stp x8, x9, [\base, #64]
    stp x10, x11, [\base, #80]
    stp x12, x13, [\base, #96]
    stp x14, x15, [\base, #112]
    stp x16, x17, [\base, #128]
    stp x18, x19, [\base, #144]
    stp x20, x21, [\base, #160]
    stp x22, x23, [\base, #176]
    stp x24, x25, [\base, #192]
    stp x26, x27, [\base, #208]
    stp x28, x29, [\base, #224]
    str x30, [\base, #240]
    .endm
    .macro load_from base
    ldp x2, x3, [\base, #16]
    ldp x4, x5, [\base, #32]
    ldp x6, x7, [\base, #48]
    ldp x8, x9, [\base, #64]
    ldp x10, x11, [\base, #80]
    ldp x12, x13, [\base, #96]
    ldp x14, x15, [\base, #112]
    ldp x16, x17, [\base, #128]
    ldp x18, x19, [\base, #144]
    ldp x20, x21, [\base, #160]
    ldp x22, x23, [\base, #176]
    ldp x24, x25, [\base, #192]
    ldp x26, x27, [\base, #208]
    ldp x28, x29, [\base, #224]
    ldr x30, [\base, #240]
    .endm

    // Makes the linker give zeroes room in the file.
    .section .data.first, "aw", %progbits
    .quad 0
    .section .text.start, "ax"
    .globl _start
_start:
    // From flash to secure RAM, where this is linked to run.
    adr x0, _start
    ldr x1, =_start
    ldr x2, =_end
1:  ldp x3, x4, [x0], #16
    stp x3, x4, [x1], #16
    cmp x1, x2
    b.lo 1b
    ldr x0, =2f
    br x0
2:  ldr x0, =el3_vectors
    msr vbar_el3, x0
    ldr x0, =el2_vectors
    msr vbar_el2, x0
    ldr x0, =EL3_STACK_TOP
    ldr x0, [x0]
    mov sp, x0
    isb
    bl start
    // x0: the context of Trusty
    b el3_return
    .ltorg

    .balign 2048
el3_vectors:
    .rept 4
    .balign 128
    b el3_own
    .endr
    .rept 4
    .balign 128
    b el3_own
    .endr
    .balign 128
    b el3_sync
    .rept 7
    .balign 128
    b el3_lower
    .endr

el3_own:
    mov x0, #0
    bl el3_fatal

    // IRQ, FIQ, SError of a lower level, and anything of AArch32: none is routed here.
el3_lower:
    mov x0, #1
    bl el3_fatal

el3_sync:
    stp x0, x1, [sp, #-16]!
    mrs x0, tpidr_el3
    save_to x0
    ldp x2, x3, [sp], #16
    stp x2, x3, [x0]
    bl el3_exception
el3_return:
    msr tpidr_el3, x0
    load_from x0
    ldp x0, x1, [x0]
    eret

    .balign 2048
el2_vectors:
    .rept 8
    .balign 128
    b el2_own
    .endr
    .balign 128
    b el2_sync
    .rept 3
    .balign 128
    b el2_own
    .endr
    .balign 128
    b el2_sync
    .rept 3
    .balign 128
    b el2_own
    .endr

el2_own:
    bl el2_fatal

el2_sync:
    sub sp, sp, #256
    stp x0, x1, [sp]
    save_to sp
    mov x0, sp
    bl el2_exception
    load_from sp
    ldp x0, x1, [sp]
    add sp, sp, #256
    eret
"#
);
