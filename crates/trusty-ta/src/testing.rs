//! The kernel in memory, for unit tests of trusted apps on a host.
//!
//! A [`World`] has a kernel, apps and clients. Everything runs in the test's own thread: an [`App`] serves what waits for it
//! when [`App::run`] is called. While an app waits, for an answer of another one say, the others run; a wait for what has not happened
//! when none of them has anything left to do ends at once with `TimedOut`.
//!
//! ```
//! use trusty_ta::{testing::World, *};
//!
//! /// Answers each message with itself.
//! struct Echo;
//!
//! impl Service for Echo {
//!     type Connection = ();
//!
//!     fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
//!         Ok(ConnectResult::Accept(()))
//!     }
//!
//!     fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
//!         let mut buffer = [0; MAX_MESSAGE];
//!         let length = message.read(&mut buffer)?;
//!         handle.send(&buffer[..length])?;
//!         Ok(MessageResult::MaintainConnection)
//!     }
//!
//!     fn on_disconnect(&mut self, _: ()) {}
//! }
//!
//! static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.example.echo").allow_ns_connect()];
//! let world = World::new();
//! let mut app = world.app(&PORTS, || Echo);
//! let client = world.connect(c"com.example.echo")?;
//! app.run();
//! client.send(b"hello")?;
//! app.run();
//! assert_eq!(client.receive()?, b"hello");
//! # Ok::<(), TipcError>(())
//! ```
//!
//! [`limited`] gives code a heap of some size, so that what a TA does when its memory is used up can be tested.

mod bulk;
mod heap;
mod hwkey;
mod replay;
mod storage;
mod world;

pub use bulk::BulkClient;
pub(crate) use heap::current;
pub use heap::{TestHeap, limited};
pub use hwkey::{AgentMood, TEST_ECID, TEST_KEY, test_key};
pub use replay::CaseError;
pub use storage::StorageDaemon;
pub use storage_proxy::Mood as StorageMood;
pub use world::{App, Client, World};
pub(crate) use world::{Current, with_random_state};
