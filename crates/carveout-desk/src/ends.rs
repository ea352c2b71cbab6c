//! Trusted apps that end by themselves, while Trusty and the others go on: known by what they say on the console.

use super::symbols::{KnownApp, Symbols};
use trusty_fault::{Ending, Listener, Program, Reason};
use trusty_image::stock::STOCK;
use uuid::Uuid;

/// Apps that are kept: no image has so many.
const APPS: usize = 64;

/// Listens to the console.
#[derive(Default)]
pub struct Ends {
    listener: Listener,
    symbols: Symbols,
    /// Apps that have ended.
    ended: Vec<Ended>,
}

struct Ended {
    name: String,
    /// Its UUID, as it is written.
    uuid: String,
    /// Whether it has said why itself.
    said: bool,
    ports: Vec<String>,
    /// Whether it declares its ports.
    declares: bool,
    sentence: String,
}

impl Ends {
    /// With what names apps, ports and lines.
    pub fn knowing(symbols: Symbols) -> Self {
        Self { symbols, ..Self::default() }
    }

    /// Takes a line of the console. A report, if it was a trusted app's last.
    pub fn line(&mut self, line: &str) -> Option<String> {
        let (ending, said) = match self.listener.line(line) {
            Some(ending) => (ending, true),
            None => (self.foreign(line)?, false),
        };
        let uuid = ending.uuid.clone().unwrap_or_default();
        // An app ends once; more such lines are only text.
        if self.ended.len() == APPS || self.ended.iter().any(|ended| ended.uuid == uuid) {
            return None;
        }
        // The kernel tells but the front part of it.
        let is = |app: &&KnownApp| !uuid.is_empty() && app.uuid.to_string().starts_with(&uuid);
        let known = self.symbols.apps.iter().find(is);
        let (name, report) = report(&ending, known, line);
        let sentence = report.lines().next().unwrap_or_default().to_owned();
        let ports = known.map(|app| app.ports.clone()).unwrap_or_default();
        let declares = !ports.is_empty();
        self.ended.push(Ended { name, uuid, said, ports, declares, sentence });
        Some(report)
    }

    /// The kernel's own line of an app that has exited, if the app has not said so itself: `exit called, thread 0xffffffffea8ce7c8, name
    /// trusty_app_3_92b92883-f96a-4177`.
    fn foreign(&self, line: &str) -> Option<Ending> {
        let name = line.strip_prefix("exit called, thread ")?.split_once(", name trusty_app_")?.1;
        let uuid = name.split_once('_')?.1.trim();
        let told = self.ended.iter().any(|ended| ended.uuid.starts_with(uuid));
        (!told && !uuid.is_empty()).then(|| Ending {
            uuid: Some(uuid.to_owned()),
            reason: Reason::Unknown,
            chain: Vec::new(),
        })
    }

    /// Names of the trusted apps that have ended, and why: of those that have said so, and of NVIDIA's own.
    pub fn told(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ended
            .iter()
            .filter(|ended| ended.said || STOCK.iter().any(|(_, name)| *name == ended.name))
            .map(|ended| (ended.name.as_str(), ended.sentence.as_str()))
    }

    /// Why a port is gone: the app that declares it has ended. Where no app that has ended declares ports, it may have been any.
    pub fn of_port(&self, port: &[u8]) -> Option<String> {
        let has = |ended: &&Ended| ended.ports.iter().any(|path| path.as_bytes() == port);
        let declared = |app: &KnownApp| app.ports.iter().any(|path| path.as_bytes() == port);
        if let Some(ended) = self.ended.iter().find(has) {
            return Some(ended.sentence.clone());
        }
        let other = self.symbols.apps.iter().any(declared);
        let ended = self.ended.iter().find(|ended| ended.said && !ended.declares && !other)?;
        Some(format!("perhaps it was a port of this one: {}", ended.sentence))
    }
}

/// The name of a TA that has ended, and all that can be said of it.
fn report(ending: &Ending, known: Option<&KnownApp>, line: &str) -> (String, String) {
    let Some(known) = known else {
        // The kernel tells but the front part of a stock one's UUID.
        let uuid = ending.uuid.as_deref().unwrap_or_default();
        let is = |(stock, _): &&(Uuid, &str)| !uuid.is_empty() && stock.to_string().starts_with(uuid);
        if let Some((_, name)) = STOCK.iter().find(is) {
            return ((*name).into(), ending.report(name, None, &Program::default()));
        }
        // The name that it bears on the console.
        let own = line.split_once(": ended: ").map(|(name, _)| name.to_owned());
        let name = own.or_else(|| ending.uuid.clone()).unwrap_or_default();
        let report = ending.report(&name, None, &Program::default());
        return (name, report);
    };
    let app = trusty_image::inspect(&known.elf).ok();
    let program = Program::read(&known.elf, known.debug.as_deref());
    (known.name.clone(), ending.report(&known.name, app.as_ref(), &program))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "out of memory: 50000 bytes asked, align 1; heap 16384, in use 96, largest free 16288; min_heap 53248 would do";

    fn app(name: &str, uuid: u8, ports: &[&str]) -> KnownApp {
        let uuid = uuid::Uuid::from_bytes([uuid; 16]);
        let ports = ports.iter().map(|port| (*port).to_owned()).collect();
        KnownApp { name: name.into(), uuid, elf: Vec::new(), debug: None, ports }
    }

    fn end(ends: &mut Ends, name: &str, uuid: u8) -> String {
        assert_eq!(ends.line(&format!("{name}: {SHORT}")), None);
        let uuid = uuid::Uuid::from_bytes([uuid; 16]);
        ends.line(&format!("{name}: ended: trusted app {uuid}, called from 0x8010.")).unwrap()
    }

    #[test]
    fn a_port_is_gone_with_the_app_that_declares_it() {
        let apps = vec![app("one-srv", 1, &["a.one"]), app("two-srv", 2, &["a.two"])];
        let mut ends = Ends::knowing(Symbols { apps, kernel: None });
        assert_eq!(ends.of_port(b"a.one"), None);
        // The name is the bundle's, whatever the app calls itself.
        let report = end(&mut ends, "one", 1);
        assert!(
            report.starts_with("trusted app one-srv has ended: out of memory: 50000 bytes asked"),
            "{report}"
        );
        assert!(report.contains("min_heap = 53248"), "{report}");
        let why = ends.of_port(b"a.one").unwrap();
        assert!(why.starts_with("trusted app one-srv has ended: out of memory"), "{why}");
        for other in ["a.two", "a.three", ""] {
            assert_eq!(ends.of_port(other.as_bytes()), None, "{other}");
        }
        assert_eq!(ends.told().map(|(name, _)| name).collect::<Vec<_>>(), ["one-srv"]);
    }

    /// A C app says nothing, and the kernel no more than that it has exited. What has said so itself is not told twice.
    #[test]
    fn the_kernels_own_word_is_told_once() {
        let mut ends = Ends::knowing(Symbols { apps: vec![app("one-srv", 1, &["a.one"])], kernel: None });
        let exit = |uuid: &str| format!("exit called, thread 0xffffffffea8ce7c8, name trusty_app_3_{uuid}");
        let report = ends.line(&exit("01010101-0101-0101")).unwrap();
        assert_eq!(
            report,
            "trusted app one-srv has ended: it called exit_group, and no line of a known form says why\n"
        );
        assert_eq!(ends.told().count(), 0);
        assert!(ends.of_port(b"a.one").is_some());
        let unknown = ends.line(&exit("92b92883-f96a-4177")).unwrap();
        assert!(
            unknown.starts_with("trusted app nvidia-sample/hwkey-agent has ended: it called"),
            "{unknown}"
        );
        assert_eq!(ends.told().map(|(name, _)| name).collect::<Vec<_>>(), ["nvidia-sample/hwkey-agent"]);
        let unknown = ends.line(&exit("12345678-f96a-4177")).unwrap();
        assert!(unknown.starts_with("trusted app 12345678-f96a-4177 has ended: it called"), "{unknown}");
        let mut ends = Ends::knowing(Symbols { apps: vec![app("one-srv", 1, &["a.one"])], kernel: None });
        end(&mut ends, "one", 1);
        assert_eq!(ends.line(&exit("01010101-0101-0101")), None);
    }

    /// An image without a bundle: who had which port is not known, and not claimed.
    #[test]
    fn what_is_not_known_is_not_claimed() {
        let mut ends = Ends::knowing(Symbols { apps: vec![app("two-srv", 2, &["a.two"])], kernel: None });
        end(&mut ends, "foreign", 7);
        let why = ends.of_port(b"a.one").unwrap();
        assert!(why.starts_with("perhaps it was a port of this one: trusted app foreign has ended"), "{why}");
        assert_eq!(ends.of_port(b"a.two"), None);
    }
}
