//! An open file of the device: its state, and who waits.

use rustix::event::PollFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::time::Instant;

/// What a file is to Trusty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelState {
    /// Not connected, or not any more.
    #[default]
    Disconnected,
    /// It waits for the port's answer.
    Connecting,
    /// Messages pass.
    Connected,
    /// Trusty has gone.
    Stale,
}

impl ChannelState {
    /// What the driver says of a state in which no message can pass.
    pub fn errno(self) -> Errno {
        if self == Self::Stale { Errno::SHUTDOWN } else { Errno::NOTCONN }
    }
}

/// An open file. Who waits is known by the number of the request.
#[derive(Default)]
pub struct Channel {
    /// What it is to Trusty.
    pub state: ChannelState,
    /// Messages that the host has not passed on yet.
    pub under_way: usize,
    /// Messages that were read since the host was last told.
    pub taken: usize,
    /// Messages that nobody has read yet.
    pub unread: VecDeque<Vec<u8>>,
    /// Who connects, and until when.
    pub connect: Option<(u64, Instant)>,
    /// Who reads, with the size of their buffers.
    pub readers: VecDeque<(u64, usize)>,
    /// Who writes what, and until when.
    pub writers: VecDeque<(u64, Vec<u8>, Instant)>,
    /// Who polls.
    pub poll: Option<u64>,
}

impl Channel {
    /// What poll says.
    pub fn events(&self) -> PollFlags {
        let mut events = PollFlags::OUT | PollFlags::WRNORM;
        events.set(PollFlags::IN | PollFlags::RDNORM, !self.unread.is_empty());
        events.set(PollFlags::ERR, self.state != ChannelState::Connected);
        events
    }

    /// Ends what waits under this number. Whether anything did.
    pub fn interrupt(&mut self, unique: u64) -> bool {
        let before = self.readers.len() + self.writers.len();
        self.readers.retain(|reader| reader.0 != unique);
        self.writers.retain(|writer| writer.0 != unique);
        let connect = self.connect.take_if(|connect| connect.0 == unique);
        connect.is_some() || self.readers.len() + self.writers.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_tells_what_the_driver_tells() {
        let mut channel = Channel::default();
        assert!(channel.events().contains(PollFlags::ERR | PollFlags::OUT));
        channel.state = ChannelState::Connected;
        assert_eq!(channel.events(), PollFlags::OUT | PollFlags::WRNORM);
        channel.unread.push_back(vec![1]);
        assert!(channel.events().contains(PollFlags::IN | PollFlags::RDNORM));
        channel.state = ChannelState::Stale;
        assert!(channel.events().contains(PollFlags::ERR));
        assert_eq!(
            (channel.state.errno(), ChannelState::Disconnected.errno()),
            (Errno::SHUTDOWN, Errno::NOTCONN)
        );
    }

    #[test]
    fn a_signal_ends_what_waits() {
        let mut channel = Channel::default();
        channel.readers.push_back((4, 10));
        channel.writers.push_back((5, vec![], Instant::now()));
        channel.connect = Some((6, Instant::now()));
        assert!(!channel.interrupt(7));
        assert!(channel.interrupt(4) && channel.interrupt(5) && channel.interrupt(6));
        assert!(channel.readers.is_empty() && channel.writers.is_empty() && channel.connect.is_none());
    }
}
