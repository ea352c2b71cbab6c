//! Whatever system calls tasks make, the kernel's model survives, keeps its limits, and nothing is left when all is closed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusty_abi::{Uuid, limit};
use trusty_model::{Census, Kernel};

fuzz_target!(|data: &[u8]| {
    let mut kernel = Kernel::new();
    let tasks = [kernel.add_app(Uuid([1; 16])), kernel.add_app(Uuid([2; 16])), kernel.add_linux()];
    for call in data.chunks_exact(4) {
        let &[number, task, handle, argument] = call else { continue };
        let task = tasks[usize::from(task) % tasks.len()];
        let (handle, argument) = (u32::from(handle), u32::from(argument));
        let path = [b'a' + argument as u8 % 4];
        let message = [argument as u8; 9];
        let _ = match number % 12 {
            0 => kernel.port_create(task, &path, argument % 34, argument, argument >> 2).map(drop),
            1 | 2 => kernel.connect(task, &path, argument >> 2 & 3).map(drop),
            3 => kernel.accept(task, handle).map(drop),
            4 => kernel.close(task, handle),
            5 => kernel.poll_any(task).map(drop),
            6 => kernel.send_msg(task, handle, &[&message, &message]).map(|sent| assert!(sent <= 18)),
            7 => kernel.get_msg(task, handle).map(drop),
            8 => kernel.read_msg(task, handle, argument, argument >> 4).map(drop),
            9 => kernel.put_msg(task, handle, argument),
            10 => kernel.set_cookie(task, handle, argument),
            _ => kernel.poll(task, handle).map(drop),
        };
    }
    for task in tasks {
        assert!(kernel.handles(task) <= limit::NS_CHANNELS);
        for handle in 0..limit::NS_CHANNELS as u32 {
            let _ = kernel.close(task, handle);
        }
    }
    assert_eq!(kernel.census(), Census::default());
});
