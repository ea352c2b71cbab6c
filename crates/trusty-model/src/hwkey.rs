//! A stand-in for NVIDIA's hwkey-agent, with a key that is no secret: for unit tests of trusted apps, and on a desk without NVIDIA's kernel.

use crate::{Kernel, Task};
use trusty_abi::hwkey::{MESSAGE, PORT, QUERY_EKB_KEY};
use trusty_abi::{Uuid, event};

/// The key that it gives: no secret.
pub const TEST_KEY: [u8; 16] = *b"not a secret: 02";
/// The number of the chip that it tells.
pub const TEST_ECID: u128 = 0x1_2345_6789_abcd_ef01_2345_6780;

/// What an agent does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentMood {
    /// It gives the key.
    Gives,
    /// It sends the request back as it is, as the real one does where it has no key.
    Refuses,
    /// It answers nothing.
    Silent,
    /// It hangs up.
    HangsUp,
    /// It answers so many bytes.
    Sends(usize),
}

/// The agent, a task of a kernel.
#[derive(Debug)]
pub struct Agent {
    task: Task,
    port: u32,
    /// What it does.
    pub mood: AgentMood,
}

impl Agent {
    /// Starts it.
    pub fn start(kernel: &mut Kernel) -> Self {
        let task = kernel.add_app(Uuid([0xb; 16]));
        let port = kernel.port_create(task, PORT.to_bytes(), 1, 4096, trusty_abi::port::ALLOW_TA_CONNECT);
        Self { task, port: port.unwrap_or_default(), mood: AgentMood::Gives }
    }

    /// Serves all that waits. Whether there was anything.
    pub fn serve(&self, kernel: &mut Kernel) -> bool {
        let mut served = false;
        while let Ok(Some(what)) = kernel.poll_any(self.task) {
            served = true;
            if what.handle == self.port {
                let _ = kernel.accept(self.task, self.port);
            } else if what.event & event::MSG != 0 {
                self.answer(kernel, what.handle);
            } else {
                let _ = kernel.close(self.task, what.handle);
            }
        }
        served
    }

    fn answer(&self, kernel: &mut Kernel, handle: u32) {
        let Ok(request) = kernel.take_msg(self.task, handle) else { return };
        let asked = request.len() == MESSAGE && request.starts_with(&QUERY_EKB_KEY.to_le_bytes());
        let answer: Vec<u8> = match self.mood {
            AgentMood::Gives if asked => {
                [&QUERY_EKB_KEY.to_le_bytes()[..], &TEST_KEY, &TEST_ECID.to_le_bytes()].concat()
            }
            AgentMood::Gives | AgentMood::Refuses => request,
            AgentMood::Silent => return,
            AgentMood::HangsUp => {
                let _ = kernel.close(self.task, handle);
                return;
            }
            AgentMood::Sends(length) => vec![0; length],
        };
        let _ = kernel.send_msg(self.task, handle, &[&answer]);
    }
}
