use super::*;

#[test]
fn what_was_told_is_not_told_at_length_again() {
    let ui = Ui::new(Verbosity::Normal);
    let long = Error::check("building x failed\n  | error: y").remedy("mend y");
    let error = Error::all([long.clone(), Error::environment("no network")]).unwrap();
    assert_eq!(ui.untold(&error), error);
    ui.tell(&long);
    assert_eq!(
        ui.untold(&error).to_string(),
        "building x failed (shown above)\n  help: mend y\nerror: no network"
    );
    let quiet = Ui::new(Verbosity::Quiet);
    quiet.tell(&long);
    assert_eq!(quiet.untold(&error), error, "what was not shown is told");
}

#[test]
fn what_a_program_writes_is_shown_as_it_comes() {
    struct Pieces(Vec<&'static [u8]>);
    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = if self.0.is_empty() { &[] } else { self.0.remove(0) };
            buffer[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }
    let mut shown = Vec::new();
    pass(Pieces(vec![b"50 \xe2\x82", b"\xac\r\n\x9b31m", b"\x1b[2J\xc2", b"\x9b\xe2"]), &mut shown, true);
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(shown, "50 €\n\u{fffd}31m\\u{1b}[2J\\u{9b}\u{fffd}");
    // Lines of several programs go to one file.
    struct Writes(Vec<String>);
    impl io::Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writes = Writes(Vec::new());
    pass(Pieces(vec![b"a ", b"line\nand", b" more\nno end"]), &mut writes, false);
    writes.0.retain(|text| !text.is_empty());
    assert_eq!(writes.0, ["a line\n", "and more\n", "no end"]);
}

#[test]
fn the_table_is_aligned() {
    let row = |stage: &str, reused, seconds, size| Row { stage: stage.into(), reused, seconds, size };
    let shown = table(&[row("ta echo-srv", false, 12.34, 20480), row("rootfs", true, 0.0, 1 << 30)]);
    assert_eq!(
        shown.as_str(),
        "stage                                  time        size\n\
         ta echo-srv                built     12.3 s      20 KiB\n\
         rootfs                     reused     0.0 s       1 GiB\n"
    );
}
