//! A client that does not read.

use crate::say;
use crate::sys;
use crate::transcript::Transcript;
use trusty_abi::{Error, event};

/// Messages: more than all buffers on the way have room for.
const COUNT: u32 = 1000;

/// Sends many messages, each with its number, as fast as there is room, and tells whether there always was.
pub fn stream(handle: i32, t: &mut Transcript) {
    static FILL: [u8; 4076] = [0x55; 4076];
    let (mut blocked, mut others, mut sent) = (0, 0, 0);
    while sent < COUNT {
        let result = sys::send_msg(handle, &[&sent.to_le_bytes(), &FILL]);
        if result == 4080 {
            sent += 1;
            continue;
        }
        if result != Error::NotEnoughBuffer.code() {
            say!(t, "send_msg: {result}");
            return;
        }
        blocked += 1;
        let waited = sys::wait(handle, 60_000);
        others += u32::from(waited.0 != 0 || waited.1.event != event::SEND_UNBLOCKED);
    }
    say!(t, "{sent} messages, no room at times: {}, other events: {others}", blocked > 0);
}
