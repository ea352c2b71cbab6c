//! Requests as a trusted app sends them, and as none does.

use super::*;
use proptest::prelude::*;

fn request(command: u32, flags: u32, body: &[u8]) -> Vec<u8> {
    let size = (HEAD + body.len()) as u32;
    [&Head { command, op: 9, flags, size, result: 0 }.bytes()[..], body].concat()
}

fn ask(proxy: &mut Proxy<Memory>, command: u32, flags: u32, body: &[u8]) -> Result<Vec<u8>, Outcome> {
    let answer = proxy.answer(&request(command, flags, body)).unwrap();
    let (head, body) = Head::split(&answer).unwrap();
    assert_eq!((head.command, head.op), (command | RESPONSE, 9));
    match Outcome::of(head.result).unwrap() {
        Outcome::Done => Ok(body.to_vec()),
        outcome => Err(outcome),
    }
}

fn open(proxy: &mut Proxy<Memory>, flags: u32, name: &[u8]) -> Result<Vec<u8>, Outcome> {
    ask(proxy, FILE_OPEN, 0, &[&flags.to_le_bytes()[..], name].concat())
}

fn write(handle: &[u8], offset: u64, bytes: &[u8]) -> Vec<u8> {
    [&offset.to_le_bytes()[..], handle, &[0; 4], bytes].concat()
}

#[test]
fn a_file_is_written_and_read() {
    let mut proxy = Proxy::new(Memory::default());
    assert_eq!(open(&mut proxy, 0, b"root.0"), Err(Outcome::NotFound));
    let handle = open(&mut proxy, OPEN_CREATE, b"root.0").unwrap();
    for (offset, bytes) in [(0, &b"hello"[..]), (5, b", world")] {
        assert_eq!(ask(&mut proxy, FILE_WRITE, POST_COMMIT, &write(&handle, offset, bytes)), Ok(vec![]));
    }
    assert_eq!(ask(&mut proxy, FILE_GET_SIZE, 0, &handle), Ok(12u64.to_le_bytes().to_vec()));
    let read = |size: u32, offset: u64| [&handle[..], &size.to_le_bytes(), &offset.to_le_bytes()].concat();
    assert_eq!(ask(&mut proxy, FILE_READ, 0, &read(5, 7)), Ok(b"world".to_vec()));
    assert_eq!(ask(&mut proxy, FILE_READ, 0, &read(100, 100)), Ok(vec![]));
    assert_eq!(ask(&mut proxy, FILE_READ, 0, &read(CHUNK as u32 + 1, 0)), Err(Outcome::NotValid));
    assert_eq!(ask(&mut proxy, FILE_CLOSE, 0, &handle), Ok(vec![]));
    assert_eq!(ask(&mut proxy, FILE_CLOSE, 0, &handle), Err(Outcome::NotValid));
    let again = open(&mut proxy, OPEN_TRUNCATE, b"root.0").unwrap();
    assert_eq!(ask(&mut proxy, FILE_GET_SIZE, 0, &again), Ok(vec![0; 8]));
    let delete = [&[0; 4][..], b"root.0"].concat();
    assert_eq!(ask(&mut proxy, FILE_DELETE, 0, &delete), Ok(vec![]));
    assert_eq!(ask(&mut proxy, FILE_DELETE, 0, &delete), Err(Outcome::NotFound));
}

#[test]
fn what_no_trusted_app_sends_is_refused() {
    let mut proxy = Proxy::new(Memory::default());
    for name in [&b""[..], b".", b"..", b".x", b"a/b", b"/etc/passwd", b"a\0", b"\xff", &[b'a'; NAME + 1]] {
        assert_eq!(open(&mut proxy, OPEN_CREATE, name), Err(Outcome::NotValid), "{name:?}");
    }
    assert_eq!(open(&mut proxy, 2, b"a"), Err(Outcome::NotValid), "a flag that is not known");
    assert_eq!(ask(&mut proxy, 99 << 1, 0, &[]), Err(Outcome::Unimplemented));
    assert_eq!(ask(&mut proxy, FILE_GET_SIZE, 0, &7u32.to_le_bytes()), Err(Outcome::NotValid));
    let handles: Vec<_> = (0..OPEN).map(|_| open(&mut proxy, OPEN_CREATE, b"a").unwrap()).collect();
    assert_eq!(open(&mut proxy, OPEN_CREATE, b"a"), Err(Outcome::NotValid), "too many are open");
    for offset in [MAX_FILE, u64::MAX] {
        let body = write(&handles[0], offset, b"x");
        assert_eq!(ask(&mut proxy, FILE_WRITE, 0, &body), Err(Outcome::NotValid));
    }
    assert_eq!(proxy.answer(&request(FILE_OPEN | RESPONSE, 0, &[])), None);
    assert_eq!(proxy.answer(b"x"), None);
}

#[test]
fn a_disk_that_fails_is_told() {
    let mut proxy = Proxy::new(Memory::default());
    let handle = open(&mut proxy, OPEN_CREATE, b"a").unwrap();
    proxy.files.mood = Mood::Full;
    assert_eq!(ask(&mut proxy, FILE_WRITE, 0, &write(&handle, 0, b"x")), Err(Outcome::Generic));
    proxy.files.mood = Mood::NeverSyncs;
    for flag in [PRE_COMMIT, POST_COMMIT] {
        assert_eq!(ask(&mut proxy, FILE_WRITE, flag, &write(&handle, 0, b"x")), Err(Outcome::SyncFailure));
    }
}

proptest! {
    #[test]
    fn no_request_is_too_strange(bytes: Vec<u8>, command: u32, body: Vec<u8>) {
        let mut proxy = Proxy::new(Memory::default());
        let _ = proxy.answer(&bytes);
        let _ = proxy.answer(&request(command, 0, &body));
        prop_assert!(proxy.files.files.keys().all(|name| file_name(name.as_bytes()).is_ok()));
    }
}
