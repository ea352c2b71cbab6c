//! What NVIDIA's hwkey-agent and its clients say to each other: `get_key_srv.h` and `ipc.c` of hwkey-agent, L4T R32.

use core::ffi::CStr;
use core::ops::Range;

/// The agent's port for trusted apps.
pub const PORT: &CStr = c"hwkey-agent.srv.get-key-srv";
/// `GET_KEY_SRV_QUERY_EKB_KEY`.
pub const QUERY_EKB_KEY: u32 = 1;
/// Bytes of a message each way (`get_key_srv_cmd_msg_t`): u32 command, 16 bytes key, four u32 of the chip's number.
pub const MESSAGE: usize = 36;
/// Where the key is in it. The chip's number is behind it.
pub const KEY: Range<usize> = 4..20;
