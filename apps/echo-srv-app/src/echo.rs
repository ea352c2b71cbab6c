//! One echo: open, put all, get all, compare.

use echo_service::{MAX_VALUES, ProtocolError, Reply, Request, Status, values, write_values};
use tipc::{MAX_MESSAGE, Transport};

/// Why an echo failed.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// The way to the trusted app.
    #[error(transparent)]
    Transport(#[from] tipc::Error),
    /// An answer that is none.
    #[error("the trusted app's answer is {0}")]
    Protocol(#[from] ProtocolError),
    /// More than it has room for.
    #[error(
        "refused: {requested} values ({} bytes) were asked for, the trusted app has room for {room} ({} bytes). \
         Send fewer, or raise min_heap and the room of the trusted app",
        u64::from(*requested) * 4, u64::from(*room) * 4
    )]
    TooLarge {
        /// Values asked for.
        requested: u32,
        /// Values there is room for.
        room: u32,
    },
    /// It has no memory at all.
    #[error(
        "the trusted app got no memory for its {room} values ({} bytes) when it started: raise its min_heap",
        u64::from(*room) * 4
    )]
    NoMemory {
        /// Values that it wanted room for.
        room: u32,
    },
    /// Another client is being served.
    #[error("another client holds the trusted app's room: try again when it is done")]
    Busy,
    /// It does not understand us.
    #[error("the trusted app calls our request for {0} values a bad one")]
    BadRequest(u32),
    /// A value that did not come back as it was sent.
    #[error("value {index} came back as {found:?}, sent was {sent:?}")]
    Corrupt {
        /// Which one.
        index: u32,
        /// What was sent.
        sent: f32,
        /// What came back, if anything.
        found: Option<f32>,
    },
}

/// Sends `count` values, gets them back, compares each.
pub fn echo(channel: &mut impl Transport, count: u32, seed: u32) -> Result<(), EchoError> {
    let mut buffer = [0; MAX_MESSAGE];
    ask(channel, &Request::Open { count }, &mut buffer)?;
    let pieces = || {
        let starts = (0..count).step_by(MAX_VALUES);
        starts.map(move |index| (index, (count - index).min(MAX_VALUES as u32)))
    };
    for (index, length) in pieces() {
        let piece: Vec<f32> = (index..index + length).map(|i| value(seed, i)).collect();
        let mut bytes = [0; MAX_VALUES * 4];
        let written = write_values(&piece, &mut bytes);
        let put = Request::Put { index, values: bytes.get(..written).unwrap_or_default() };
        ask(channel, &put, &mut buffer)?;
    }
    for (index, length) in pieces() {
        let mut found = values(ask(channel, &Request::Get { index, count: length }, &mut buffer)?);
        for index in index..index + length {
            let (sent, found) = (value(seed, index), found.next());
            if found.map(f32::to_bits) != Some(sent.to_bits()) {
                return Err(EchoError::Corrupt { index, sent, found });
            }
        }
    }
    Ok(())
}

/// What is sent: differs for each index and round.
fn value(seed: u32, index: u32) -> f32 {
    (index.wrapping_mul(0x9e37_79b1) ^ seed) as f32
}

fn ask<'a>(
    channel: &mut impl Transport,
    request: &Request,
    buffer: &'a mut [u8; MAX_MESSAGE],
) -> Result<&'a [u8], EchoError> {
    let length = request.write(buffer).ok_or(tipc::Error::TooLong(MAX_MESSAGE + 1))?;
    channel.send(buffer.get(..length).unwrap_or_default())?;
    let length = channel.receive(buffer)?;
    let (reply, rest) = Reply::parse(buffer.get(..length).unwrap_or_default())?;
    let Reply { status, requested, room } = reply;
    match status {
        Status::Ok => Ok(rest),
        Status::TooLarge => Err(EchoError::TooLarge { requested, room }),
        Status::NoMemory => Err(EchoError::NoMemory { room }),
        Status::Busy => Err(EchoError::Busy),
        Status::BadRequest => Err(EchoError::BadRequest(requested)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use echo_service::EchoService;
    use trusty_ta::{ConnectResult, MessageResult, PortCfg, Service};

    /// The trusted app's own logic, in this process.
    struct Loopback {
        service: EchoService,
        connection: <EchoService as Service>::Connection,
        answer: Vec<u8>,
        flip: Option<usize>,
    }

    impl Loopback {
        fn new(room: usize) -> Self {
            let mut service = EchoService::new(room);
            let port = PortCfg::declared(c"test");
            let ConnectResult::Accept(connection) = service.on_connect(&port, &Default::default()) else {
                panic!("refused");
            };
            Self { service, connection, answer: Vec::new(), flip: None }
        }
    }

    impl Transport for Loopback {
        fn send(&mut self, message: &[u8]) -> Result<(), tipc::Error> {
            let mut reply = [0; MAX_MESSAGE];
            match self.service.on_message(&mut self.connection, message, &mut reply) {
                MessageResult::Reply(length) => self.answer = reply[..length].to_vec(),
                _ => return Err(tipc::Error::Closed),
            }
            Ok(())
        }

        fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, tipc::Error> {
            if let Some(byte) = self.flip.and_then(|at| self.answer.get_mut(at)) {
                *byte ^= 1;
            }
            buffer[..self.answer.len()].copy_from_slice(&self.answer);
            Ok(self.answer.len())
        }
    }

    #[test]
    fn all_sizes_of_the_forum_come_back() {
        let mut channel = Loopback::new(64_000);
        for count in [0, 1, 1000, MAX_VALUES as u32, 2048, 20_480, 64_000] {
            echo(&mut channel, count, 1).unwrap();
        }
    }

    #[test]
    fn a_refusal_names_both_sizes() {
        let mut channel = Loopback::new(20_480);
        let error = echo(&mut channel, 64_000, 1).unwrap_err().to_string();
        assert!(error.contains("64000 values (256000 bytes) were asked for"), "{error}");
        assert!(error.contains("room for 20480 (81920 bytes)"), "{error}");
        echo(&mut channel, 20_480, 2).unwrap();
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let mut channel = Loopback::new(100);
        channel.flip = Some(12 + 4 * 7);
        let error = echo(&mut channel, 100, 1).unwrap_err();
        assert!(matches!(error, EchoError::Corrupt { index: 7, .. }), "{error}");
    }
}
