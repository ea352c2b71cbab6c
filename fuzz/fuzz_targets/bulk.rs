//! Both sides of a bulk transfer survive any messages, and never hand on more than was announced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tipc_bulk::{Endpoint, Event, Packet, Reason, Receiver, Sender, Signal, WINDOW};

fuzz_target!(|data: &[u8]| {
    let (mut sender, mut receiver) = (Sender::open(1, 100, 0), Receiver::new());
    let mut end = Endpoint::new();
    let (mut announced, mut came) = (0usize, 0usize);
    let mut rest = data;
    while let Some((length, behind)) = rest.split_first() {
        let (message, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = behind;
        let Ok(packet) = Packet::parse(message) else { continue };
        let mut written = [0; tipc_bulk::MAX_MESSAGE];
        let length = packet.write(&mut written).expect("what was read can be written");
        assert_eq!(&written[..length], message);
        let _ = sender.on_packet(&packet);
        match receiver.on_packet(&packet) {
            Ok(Event::Opened { total, .. }) => {
                (announced, came) = (total as usize, 0);
                let _ = receiver.accept(total % 5);
            }
            Ok(Event::Data(bytes)) => came += bytes.len(),
            _ => {}
        }
        assert!(came <= announced);
        let _ = (receiver.consumed(), sender.data(&[7; 64]), sender.end());
        let _ = match end.on_packet(&packet).signal {
            Signal::Opened { tag: 0, .. } => end.accept(WINDOW),
            Signal::Opened { tag, .. } if tag & 1 == 0 => end.relay(tag, WINDOW),
            Signal::Opened { .. } => end.refuse(Reason::NoMemory, 1),
            Signal::Data(bytes) => {
                if end.is_sending() && end.unsent() > 0 {
                    end.data(bytes);
                }
                end.consumed()
            }
            Signal::Complete => end.end(),
            _ => end.open(packet.transfer(), 1),
        };
    }
});
