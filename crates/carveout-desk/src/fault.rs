//! What stopped Trusty, in plain words: from its console, from what the monitor adds to it, and from the ELF files.
//!
//! LK prints the registers of the exception, and `panic (caller ADDRESS): WHY`; it does not print which trusted app it was,
//! nor the address that was accessed. The monitor tells that address, and sums of the app's pages, by which it is found.

use super::machine::{Desk, Fate};
use super::symbols::Symbols;
use desk_firmware::page_sum;
use std::collections::BTreeMap;
use trusty_fault::{Access, Program, Scene};
use trusty_image::TrustedApp;
use trusty_image::limits::PAGE;

/// Lines of the console that a report shows.
const TAIL: usize = 30;
/// EC of an abort of an instruction and of data, from a lower level.
const INSTRUCTION_ABORT: u64 = 0x20;
/// See [`INSTRUCTION_ABORT`].
const DATA_ABORT: u64 = 0x24;
/// DFSC of an alignment fault.
const ALIGNMENT: u64 = 0x21;
/// `p_flags` of a segment that may be written.
const PF_W: u32 = 2;
/// SPSR of a trusted app: AArch32, user mode.
const USER: u64 = 0x10;

/// A report: a sentence first, then what is known, and the console.
pub fn report(desk: &Desk, symbols: &Symbols) -> String {
    let lines: Vec<&str> = desk.console.lines().collect();
    let sentence = match desk.fate() {
        None => return String::new(),
        Some(Fate::Stopped(why)) => explain(&lines, desk.panic().as_deref(), &desk.frames(), symbols)
            .unwrap_or_else(|| stopped(why, &desk.devices())),
        Some(Fate::Fatal(why)) => fatal(why, symbols),
        Some(Fate::Gone(why)) => why.clone(),
    };
    with_console(&sentence, desk)
}

/// What has happened, the console's last lines unless they are shown anyway, and where the rest is.
pub fn with_console(what: &str, desk: &Desk) -> String {
    let console = desk.console.path().display();
    let tail = if desk.console.is_shown() { String::new() } else { desk.console.tail(TAIL) };
    format!("{}\n{tail}  console: {console}", what.trim_end())
}

/// Trusty says no more than that it has stopped.
fn stopped(why: &str, devices: &[String]) -> String {
    let mut text = format!("Trusty {why}");
    if !devices.is_empty() && why.contains("not come up") {
        text.push_str(
            "; it asked for devices that Tegra194 has elsewhere or not at all: is the image for another SoC?",
        );
        devices.iter().for_each(|device| text.push_str(&format!("\n  {device}")));
    }
    text
}

/// The monitor has stopped it: most often for an access outside of its memory.
fn fatal(why: &str, symbols: &Symbols) -> String {
    let kernel = symbols.of_kernel();
    let at = why.split_once("elr ").and_then(|(_, rest)| hex(rest.split_whitespace().next()?));
    let name = at.map(|at| kernel.at(at)).unwrap_or_default();
    format!("Trusty left its carve-out, or what the desk gives it: {why}{name}")
}

/// What a kernel that panicked has said.
fn explain(lines: &[&str], monitor: Option<&str>, frames: &[String], symbols: &Symbols) -> Option<String> {
    let kernel = symbols.of_kernel();
    let (caller, why) = lines.iter().rev().find_map(|line| panic_line(line))?;
    if let Some(exception) = Exception::read(lines) {
        if let Some(text) = monitor.and_then(|monitor| trusted_app(&exception, monitor, frames, symbols)) {
            return Some(text);
        }
        if !exception.is_of_a_trusted_app() {
            let (elr, esr) = (exception.elr, exception.esr);
            return Some(format!("Trusty's kernel faults at 0x{elr:x}{}: esr 0x{esr:x}", kernel.at(elr)));
        }
        return Some(format!("a trusted app faults at 0x{:x}: esr 0x{:x}", exception.elr, exception.esr));
    }
    // The address behind the call.
    let place = kernel.at(caller.wrapping_sub(4));
    let mut text = format!("Trusty's kernel panics{place}: {why}");
    let memory = ["allocate", "map brk", "address map", "memory"];
    if memory
        .iter()
        .any(|word| why.contains(word) || lines.iter().rev().take(5).any(|line| line.contains(word)))
    {
        text.push_str(
            "; the carve-out is too small for the trusted apps, or one's heap does not fit its address space",
        );
    }
    Some(text)
}

/// `panic (caller 0xffffffffea80165c): die`.
fn panic_line(line: &str) -> Option<(u64, &str)> {
    let rest = line.get(line.find("panic (caller ")?..)?;
    let (caller, why) = rest.strip_prefix("panic (caller ")?.split_once("): ")?;
    Some((hex(caller).unwrap_or_default(), why.trim()))
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The registers that LK dumps.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exception {
    x: [u64; 15],
    elr: u64,
    spsr: u64,
    esr: u64,
}

impl Exception {
    /// The last dump in these lines.
    fn read(lines: &[&str]) -> Option<Self> {
        let start = lines.iter().rposition(|line| line.starts_with("iframe "))?;
        let mut this = Self::default();
        let mut seen = 0;
        for line in lines.get(start + 1..)? {
            // `x0  0x               1 x1  0x…`: blanks between a prefix and its number.
            let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "0x").collect();
            if let ["ESR", esr, ..] = words.as_slice() {
                this.esr = hex(esr.trim_end_matches(':'))?;
                return (seen > 0).then_some(this);
            }
            for pair in words.chunks(2) {
                let [name, value] = pair else { break };
                let Ok(value) = u64::from_str_radix(value.trim_start_matches("0x"), 16) else { break };
                let register = name.strip_prefix('x').and_then(|number| number.parse::<usize>().ok());
                match (*name, register) {
                    ("elr", _) => (this.elr, seen) = (value, seen + 1),
                    ("spsr", _) => this.spsr = value,
                    (_, Some(register)) => {
                        if let Some(to) = this.x.get_mut(register) {
                            *to = value;
                        }
                    }
                    _ => {}
                }
            }
        }
        None
    }

    fn is_of_a_trusted_app(&self) -> bool {
        self.spsr & 0x1f == USER
    }

    /// AArch32's registers, in their AArch64 places.
    fn registers(&self) -> [u32; 16] {
        let mut registers = [0; 16];
        for (to, from) in registers.iter_mut().zip(self.x.iter().chain([&self.elr])) {
            *to = *from as u32;
        }
        registers
    }
}

/// A trusted app's fault, explained, if the exception is one and the app is found.
fn trusted_app(exception: &Exception, monitor: &str, frames: &[String], symbols: &Symbols) -> Option<String> {
    if !exception.is_of_a_trusted_app() {
        return None;
    }
    let mut words = monitor.split_whitespace();
    let mut next = || hex(words.next()?);
    let (esr, far, elr) = (next()?, next()?, next()?);
    // The monitor's numbers are of the last exception; is it this one?
    if (esr, elr) != (exception.esr, exception.elr) {
        return None;
    }
    let far = u32::try_from(far).ok()?;
    let access = match esr >> 26 {
        DATA_ABORT if esr & 0x3f == ALIGNMENT => Access::Unaligned(far),
        INSTRUCTION_ABORT => Access::Fetch(far),
        DATA_ABORT if esr & 1 << 6 != 0 => Access::Write(far),
        DATA_ABORT => Access::Read(far),
        _ => Access::Instruction,
    };
    let sums: Vec<&str> = words.collect();
    let mut fitting = symbols.apps.iter().filter_map(|known| {
        let app = trusty_image::inspect(&known.elf).ok()?;
        is_loaded(&app, &known.elf, &sums).then_some((known, app))
    });
    let (known, app) = fitting.next()?;
    // Two of the same text: it could be either.
    if fitting.next().is_some() {
        return None;
    }
    let program = Program::read(&known.elf, known.debug.as_deref());
    let (registers, cpsr) = (exception.registers(), exception.spsr as u32);
    let (heap, stack_touched, mapped) = (None, None, None);
    let frames = stack_words(frames);
    let memory = |address: u32| frames.get(&address).copied();
    let scene = Scene {
        name: &known.name,
        app: &app,
        program: &program,
        access,
        registers,
        cpsr,
        heap,
        stack_touched,
        mapped,
        memory: &memory,
    };
    Some(scene.report())
}

/// Words of the stack, as the monitor tells them: `ADDRESS:NEXT:RETURN` for each place that may be a frame.
fn stack_words(frames: &[String]) -> BTreeMap<u32, u32> {
    let frame = |text: &str| {
        let mut numbers = text.split(':').map(|number| u32::from_str_radix(number, 16).ok());
        let (address, next, back) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some([(address, next), (address.checked_add(4)?, back)])
    };
    frames.iter().flat_map(|line| line.split_whitespace()).filter_map(frame).flatten().collect()
}

/// Whether these are the sums of a trusted app's first pages, as far as it cannot have written to them.
fn is_loaded(app: &TrustedApp, elf: &[u8], sums: &[&str]) -> bool {
    let Some(text) = app.segments.first().filter(|segment| segment.flags & PF_W == 0) else { return false };
    // Whole pages of the file are mapped, what lies behind the segment in the last one included.
    let pages = elf.get(text.offset as usize..).unwrap_or_default().chunks_exact(PAGE as usize);
    let count = text.file_size.div_ceil(PAGE).min(sums.len() as u32) as usize;
    let word = |b: &[u8]| b.try_into().map(u32::from_le_bytes).unwrap_or_default();
    let expected = pages.take(count).map(|page| format!("{:016x}", page_sum(page.chunks_exact(4).map(word))));
    count > 0 && expected.eq(sums.iter().take(count).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::KnownApp;

    /// As NVIDIA's kernel prints it.
    const DUMP: [&str; 14] = [
        "sync_exception",
        " [Stack Trace]",
        "iframe 0xffffffffea8e39b0:",
        "x0  0x               0 x1  0x          ffe780 x2  0x             fe4 x3  0x             fe4",
        "x4  0x          ffe784 x5  0x        4f05ebca x6  0x               0 x7  0x          fff800",
        "x8  0x               1 x9  0x               0 x10 0x          fff8e4 x11 0x          ffe720",
        "x12 0x             fe4 x13 0x          ffe6f4 x14 0x            9abc x15 0x        ea8d53d8",
        "x28 0x               0 x29 0x        ea8e3ac0 lr  0x        ea802ebc sp  0xffffffffea8e3aa0",
        "elr 0x            c9b0",
        "spsr 0x        80000010",
        "ESR 0x92000047: ec 0x24, il 0x1, iss 0x47",
        "panic (caller 0xffffffffea80165c): die",
        "",
        "HALT: (reason = 9)",
    ];

    #[test]
    fn a_dump_is_read() {
        let exception = Exception::read(&DUMP).unwrap();
        assert_eq!((exception.elr, exception.spsr, exception.esr), (0xc9b0, 0x8000_0010, 0x9200_0047));
        let registers = exception.registers();
        assert_eq!(
            (registers[1], registers[13], registers[14], registers[15]),
            (0xff_e780, 0xff_e6f4, 0x9abc, 0xc9b0)
        );
        assert_eq!(Exception::read(&DUMP[..9]), None, "cut short");
        assert_eq!(panic_line(DUMP[11]), Some((0xffff_ffff_ea80_165c, "die")));
    }

    #[test]
    fn the_trusted_app_is_known_by_its_pages() {
        let elf = trusty_image::test_elf::TestElf::good().build();
        let words =
            elf[0x1000..0x2000].chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        let sum = format!("{:016x}", page_sum(words));
        let app = |name: &str, elf: &[u8]| KnownApp {
            name: name.into(),
            uuid: uuid::Uuid::nil(),
            elf: elf.to_vec(),
            debug: None,
            ports: Vec::new(),
        };
        let apps = vec![app("other", &[0; 64]), app("mine", &elf)];
        let symbols = Symbols { apps, kernel: None };
        let monitor = format!("0x92000047 0x0 0xc9b0 {sum} 0123456789abcdef");
        let text = explain(&DUMP, Some(&monitor), &[], &symbols).unwrap();
        assert!(text.starts_with("mine faults: null + 0 written"), "{text}");
        let unaligned =
            DUMP.map(|line| if line.starts_with("ESR") { "ESR 0x92000021: ec 0x24" } else { line });
        let text =
            explain(&unaligned, Some(&monitor.replace("92000047 0x0", "92000021 0xa002")), &[], &symbols)
                .unwrap();
        assert!(text.starts_with("mine faults: 0xa002 accessed, unaligned"), "{text}");
        // Numbers of a later exception, other pages, none, and two apps of the same text explain nothing.
        for monitor in [
            format!("0x92000007 0x0 0xc9b0 {sum}"),
            "0x92000047 0x0 0xc9b0 0123456789abcdef".into(),
            "0x92000047 0x0 0xc9b0".into(),
            String::new(),
        ] {
            let text = explain(&DUMP, Some(&monitor), &[], &symbols).unwrap();
            assert!(text.starts_with("a trusted app faults at 0x"), "{text}");
        }
        let twice = Symbols { apps: vec![app("a", &elf), app("b", &elf)], kernel: None };
        assert!(explain(&DUMP, Some(&monitor), &[], &twice).unwrap().starts_with("a trusted app faults"));
    }

    #[test]
    fn frames_are_words_of_the_stack() {
        let lines =
            ["fff000:fff100:800c fff100:0:1234".to_owned(), "nonsense 1:2 x:y:z ffffffff:1:2 8:9:a".into()];
        let words = stack_words(&lines);
        let expected = [
            (8, 9),
            (12, 10),
            (0xff_f000, 0xff_f100),
            (0xff_f004, 0x800c),
            (0xff_f100, 0),
            (0xff_f104, 0x1234),
        ];
        assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_panic_of_the_kernel_is_told() {
        let lines = [
            "failed to allocate page table",
            "panic (caller 0xffffffffea80165c): failed to load address map",
        ];
        let text = explain(&lines, None, &[], &Symbols::default()).unwrap();
        assert!(
            text.starts_with(
                "Trusty's kernel panics: failed to load address map; the carve-out is too small"
            ),
            "{text}"
        );
        assert_eq!(explain(&["all is well"], None, &[], &Symbols::default()), None);
    }
}
