//! Cases of `carveout fuzz`, played in a unit test.

use super::world::{App, World};
use crate::service::Service;
use trusty_model::case::Case;
use trusty_model::clients::Clients;

pub use trusty_model::case::CaseError;

impl World {
    /// Does to an app what a case says, the app running whenever it can: what `carveout fuzz` found stays found. Clients are those of the fuzzer, and
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
        let case = Case::parse(case)?;
        let mut clients = self.as_linux(Clients::new);
        for action in &case.0 {
            self.as_linux(|kernel, _| clients.act(kernel, action));
            while app.run() > 0 || self.as_linux(|kernel, _| clients.serve(kernel)) {}
        }
        self.as_linux(|kernel, _| clients.leave(kernel));
        app.run();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::PortCfg;
    use crate::whole::{Answers, Request, Whole};
    use std::cell::Cell;
    use std::rc::Rc;
    use std::vec::Vec;

    /// Counts the bytes that come.
    struct Counts(Rc<Cell<usize>>);

    impl Answers for Counts {
        const LIMIT: usize = 10_000;

        fn answer(&mut self, request: &Request) -> Vec<u8> {
            self.0.set(self.0.get() + request.bytes.len());
            Vec::new()
        }
    }

    /// As in the fuzzer: what Linux may not connect to another trusted app reaches.
    #[test]
    fn messages_and_transfers_reach_ports_of_either_kind() {
        static PORTS: [PortCfg; 2] = [
            PortCfg::declared(c"com.test.linux").allow_ns_connect(),
            PortCfg::declared(c"com.test.app").allow_ta_connect(),
        ];
        let (world, count) = (World::new(), Rc::new(Cell::new(0)));
        let mut app = world.app(&PORTS, || Whole::new(Counts(count.clone())));
        for port in ["com.test.linux", "com.test.app"] {
            let transfer = "01".repeat(9000);
            let case = std::format!(
                "connect {port}\nsend 0 6162\nconnect {port}\nbulk 1 3 {transfer}\nclose 0\nsend 0 00\nsend 9 00"
            );
            count.set(0);
            world.replay(&mut app, &case).unwrap();
            assert_eq!(count.get(), 2 + 9000, "{port}");
        }
        assert_eq!(world.census().channels, 0, "{:?}", world.census());
    }
}
