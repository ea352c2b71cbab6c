//! NVIDIA's own TAs of L4T R32, by their UUIDs (`app/` of `trusty_src.tbz2`, R32.7).

use uuid::{Uuid, uuid};

/// UUID and folder of each.
pub const STOCK: [(Uuid, &str); 4] = [
    (uuid!("766072e8-414e-48fc-9f8f-fb9a6f144124"), "sample/ipc-unittest/main"),
    (uuid!("fee67f9f-e1b1-4e3d-8455-047f6001afef"), "sample/ipc-unittest/srv"),
    (uuid!("92b92883-f96a-4177-97d1-6bb2e278a46f"), "nvidia-sample/hwkey-agent"),
    (uuid!("33ae2177-4a98-4a35-8938-b366ce818ef5"), "nvidia-sample/luks-srv"),
];

/// The folder of a stock TA.
pub fn name(uuid: Uuid) -> Option<&'static str> {
    STOCK.iter().find(|(known, _)| *known == uuid).map(|(_, name)| *name)
}
