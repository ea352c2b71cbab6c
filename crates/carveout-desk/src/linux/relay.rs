//! Between the guest's port and what runs the trusted apps: a connection for each channel, in the words of `tipc::socket`.

use desk_guest::link::{self, BATCH, Frame, OFFLINE, WINDOW, kind};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType};
use std::collections::HashMap;
use std::io::{self, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use tipc::socket::PACKET;

/// Bytes of frames that are read, and written, at once.
const FRAMES: usize = 64 << 10;

/// What a channel's threads wait for: leave to send to the guest, and packets for the emulator. In this order they are dropped: who ends
/// with the packets knows that the client has gone.
struct Channel {
    leave: Sender<()>,
    packets: Sender<Vec<u8>>,
}

/// The way to the guest: a thread writes what has come, all of it at once, as each write costs the guest an interrupt.
#[derive(Clone)]
struct Guest(Sender<Vec<u8>>);

impl Guest {
    fn new(mut port: UnixStream) -> Self {
        let (sender, frames) = mpsc::channel::<Vec<u8>>();
        thread::spawn(move || {
            while let Ok(mut bytes) = frames.recv() {
                while bytes.len() < FRAMES
                    && let Ok(more) = frames.try_recv()
                {
                    bytes.extend_from_slice(&more);
                }
                if port.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Self(sender)
    }

    fn tell(&self, kind: u8, channel: u32, data: &[u8]) -> io::Result<()> {
        let mut frame = Vec::new();
        link::put(&mut frame, kind, channel, data)?;
        self.0.send(frame).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// A relay that runs until the guest has gone.
pub struct Relay {
    open: Arc<AtomicUsize>,
}

impl Relay {
    /// Serves the guest at this port; trusted apps are, or will be, at this socket.
    pub fn start(port: UnixStream, socket: PathBuf) -> io::Result<Self> {
        let guest = Guest::new(port.try_clone()?);
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        thread::spawn(move || serve(port, &guest, &socket, &counted));
        Ok(Self { open })
    }

    /// Channels that programs of the guest have open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

fn serve(port: UnixStream, guest: &Guest, emulator: &Path, open: &AtomicUsize) -> io::Result<()> {
    let (mut frames, mut channels) = (BufReader::with_capacity(FRAMES, port), HashMap::new());
    loop {
        let Frame { kind, channel: id, data } = Frame::read(&mut frames)?;
        // What is for a channel that has ended meanwhile is for nobody.
        match (kind, channels.get(&id)) {
            (kind::CONNECT, _) => match connect(emulator, &data) {
                Ok(socket) => {
                    // It may be accepted at once, and is open then.
                    open.store(channels.len() + 1, Ordering::Relaxed);
                    channels.insert(id, start(id, socket, guest));
                }
                Err(_) => guest.tell(kind::CLOSED, id, &OFFLINE.to_le_bytes())?,
            },
            (kind::MESSAGE, Some(Channel { packets, .. })) => {
                drop(packets.send([&[0; 4], &data[..]].concat()))
            }
            (kind::CREDIT, Some(Channel { leave, .. })) => give(leave, BATCH),
            (kind::CLOSED, _) => drop(channels.remove(&id)),
            _ => {}
        }
        open.store(channels.len(), Ordering::Relaxed);
    }
}

fn connect(emulator: &Path, name: &[u8]) -> Result<OwnedFd, rustix::io::Errno> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(emulator)?)?;
    rustix::net::send(&socket, &[&[0; 4], name].concat(), SendFlags::NOSIGNAL)?;
    Ok(socket)
}

fn start(id: u32, socket: OwnedFd, guest: &Guest) -> Channel {
    let ((packets, to_emulator), (leave, may)) = (mpsc::channel(), mpsc::channel());
    let (socket, one, other) = (Arc::new(socket), guest.clone(), guest.clone());
    let sender = socket.clone();
    thread::spawn(move || {
        let _ = forward(id, &sender, &to_emulator, &one);
        // Once all is sent: the emulator sees its client go, and so does the trusted app.
        let _ = rustix::net::shutdown(&sender, Shutdown::Both);
    });
    thread::spawn(move || {
        if let Some(code) = backward(id, &socket, &may, &other) {
            let _ = other.tell(kind::CLOSED, id, &code.to_le_bytes());
        }
    });
    give(&leave, WINDOW);
    Channel { leave, packets }
}

fn give(leave: &Sender<()>, messages: usize) {
    for _ in 0..messages {
        // Nobody waits for it if the trusted app has ended it.
        let _ = leave.send(());
    }
}

/// From the guest to the emulator, until the client has gone.
fn forward(id: u32, socket: &OwnedFd, packets: &Receiver<Vec<u8>>, guest: &Guest) -> io::Result<()> {
    for (count, packet) in (1..).zip(packets) {
        // If the emulator has ended the connection: why, is what it said last, and `backward` reads that.
        let _ = rustix::net::send(socket, &packet, SendFlags::NOSIGNAL);
        if count % BATCH == 0 {
            guest.tell(kind::CREDIT, id, &[])?;
        }
    }
    Ok(())
}

/// From the emulator to the guest. Returns the code with which the trusted app has ended it; nothing if the client has.
fn backward(id: u32, socket: &OwnedFd, may: &Receiver<()>, guest: &Guest) -> Option<i32> {
    let (mut packet, mut accepted) = ([0; PACKET], false);
    loop {
        let length =
            rustix::net::recv(socket, &mut packet[..], RecvFlags::empty()).map_or(0, |(length, _)| length);
        let Some((code, message)) = packet.get(..length)?.split_first_chunk() else {
            return (!is_gone(may)).then_some(OFFLINE);
        };
        match i32::from_le_bytes(*code) {
            0 if accepted => {
                may.recv().ok()?;
                guest.tell(kind::MESSAGE, id, message).ok()?;
            }
            0 => guest.tell(kind::ACCEPTED, id, &[]).ok()?,
            code => return Some(code),
        }
        accepted = true;
    }
}

/// Whether the client has gone, who gives leave no more.
fn is_gone(may: &Receiver<()>) -> bool {
    may.try_iter().for_each(drop);
    matches!(may.try_recv(), Err(TryRecvError::Disconnected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{accept, bind, listen, recv, send};

    fn frame(stream: &mut UnixStream) -> Frame {
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        Frame::read(stream).unwrap()
    }

    #[test]
    fn messages_pass_in_order_and_both_ends_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trusty");
        let (mut guest, port) = UnixStream::pair().unwrap();
        let relay = Relay::start(port, path.clone()).unwrap();
        // Nobody is there yet.
        link::send(&mut guest, kind::CONNECT, 1, b"a.port").unwrap();
        let told = frame(&mut guest);
        assert_eq!((told.kind, told.channel, told.number()), (kind::CLOSED, 1, OFFLINE));

        let kind_of = SocketType::SEQPACKET;
        let listener =
            rustix::net::socket_with(AddressFamily::UNIX, kind_of, SocketFlags::CLOEXEC, None).unwrap();
        bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&listener, 8).unwrap();
        link::send(&mut guest, kind::CONNECT, 2, b"a.port").unwrap();
        let app = accept(&listener).unwrap();
        let mut packet = [0; PACKET];
        let mut taken = || {
            let length = recv(&app, &mut packet[..], RecvFlags::empty()).unwrap().0;
            packet[..length].to_vec()
        };
        assert_eq!(taken(), b"\0\0\0\0a.port");
        send(&app, &[0; 4], SendFlags::empty()).unwrap();
        assert_eq!(frame(&mut guest).kind, kind::ACCEPTED);
        assert_eq!(relay.open(), 1);
        // So many that the guest gets leave for more.
        for number in 0..BATCH as u8 {
            link::send(&mut guest, kind::MESSAGE, 2, &[number]).unwrap();
        }
        for number in 0..BATCH as u8 {
            assert_eq!(taken(), [0, 0, 0, 0, number]);
        }
        assert_eq!(frame(&mut guest), Frame { kind: kind::CREDIT, channel: 2, data: Vec::new() });
        // Of messages to the guest no more than the window are under way.
        for number in 0..=WINDOW as u8 {
            send(&app, &[0, 0, 0, 0, number], SendFlags::empty()).unwrap();
        }
        for number in 0..WINDOW as u8 {
            assert_eq!(frame(&mut guest).data, [number]);
        }
        guest.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
        assert!(Frame::read(&mut guest).is_err(), "one waits for leave");
        link::send(&mut guest, kind::CREDIT, 2, &[]).unwrap();
        assert_eq!(frame(&mut guest).data, [WINDOW as u8]);
        // The trusted app closes; the client of another channel goes.
        send(&app, &(-15_i32).to_le_bytes(), SendFlags::empty()).unwrap();
        let told = frame(&mut guest);
        assert_eq!((told.kind, told.number()), (kind::CLOSED, -15));
        link::send(&mut guest, kind::CONNECT, 3, b"b").unwrap();
        let app = accept(&listener).unwrap();
        assert!(recv(&app, &mut packet[..], RecvFlags::empty()).unwrap().0 > 0);
        link::send(&mut guest, kind::CLOSED, 3, &[]).unwrap();
        assert_eq!(recv(&app, &mut packet[..], RecvFlags::empty()).unwrap().0, 0, "it sees its client go");
        // It dies without a word.
        link::send(&mut guest, kind::CONNECT, 4, b"c").unwrap();
        drop((accept(&listener).unwrap(), listener));
        let told = frame(&mut guest);
        assert_eq!((told.channel, told.number()), (4, OFFLINE));
    }
}
