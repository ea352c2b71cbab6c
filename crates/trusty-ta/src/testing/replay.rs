//! Cases of `carveout fuzz`, played in a unit test.

use super::bulk::BulkClient;
use super::world::{App, World};
use crate::service::Service;
use std::ffi::CString;
use std::vec::Vec;
use trusty_model::case::{Action, Case};

pub use trusty_model::case::CaseError;

impl World {
    /// Does to an app what a case says, the app running whenever it can: what `carveout fuzz` found stays found. Connections are Linux's, and
    /// their answers are read and forgotten; look at the app, or at what it answers to a client of yours, afterwards.
    ///
    /// ```
    /// # use trusty_ta::{testing::World, *};
    /// # struct Mute;
    /// # impl Service for Mute {
    /// #     type Connection = ();
    /// #     fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
    /// #         Ok(ConnectResult::Accept(()))
    /// #     }
    /// #     fn on_message(&mut self, _: &mut (), _: &Handle, _: Message) -> Result<MessageResult> {
    /// #         Ok(MessageResult::MaintainConnection)
    /// #     }
    /// #     fn on_disconnect(&mut self, _: ()) {}
    /// # }
    /// static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.example.echo").allow_ns_connect()];
    /// let world = World::new();
    /// let mut app = world.app(&PORTS, || Mute);
    /// // Better: include_str!("../../../fuzz/my-srv/finds/2db6a6b85f8a26f6.case")
    /// world.replay(&mut app, "connect com.example.echo\nsend 0 6e756c6c")?;
    /// # Ok::<(), testing::CaseError>(())
    /// ```
    pub fn replay<S: Service>(&self, app: &mut App<S>, case: &str) -> Result<(), CaseError> {
        let mut clients: Vec<Option<BulkClient>> = Vec::new();
        for action in Case::parse(case)?.0 {
            match action {
                Action::Connect(port) => {
                    let port = CString::new(port).ok();
                    let client = port.and_then(|port| self.connect(&port).ok());
                    clients.push(client.map(BulkClient::new));
                }
                Action::Send(to, bytes) => {
                    if let Some(Some(to)) = clients.get(to) {
                        // What finds no room is lost, as the driver loses it.
                        let _ = to.client.send(&bytes);
                    }
                }
                Action::Bulk(to, tag, bytes) => {
                    if let Some(Some(to)) = clients.get_mut(to) {
                        // A refusal is an answer, too.
                        let _ = to.exchange(app, tag, &bytes);
                    }
                }
                Action::Close(at) => {
                    if let Some(client) = clients.get_mut(at) {
                        *client = None;
                    }
                }
            }
            app.run();
            for client in clients.iter().flatten() {
                while client.client.receive().is_ok() {
                    app.run();
                }
            }
        }
        drop(clients);
        app.run();
        Ok(())
    }
}
