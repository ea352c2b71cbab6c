//! Trusted apps that end by themselves, while Trusty and the others go on: known by what they say on the console.

use super::run::{KnownApp, Symbols};
use trusty_fault::{Ending, Listener, Program};

/// Listens to the console.
#[derive(Default)]
pub struct Ends {
    listener: Listener,
    symbols: Symbols,
    /// Name and UUID of each app that has ended, its ports if they are known, and what is said of it.
    ended: Vec<Ended>,
}

struct Ended {
    name: String,
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
        let ending = self.listener.line(line)?;
        let known = self.symbols.apps.iter().find(|app| Some(app.uuid.to_string()) == ending.uuid);
        let (name, report) = report(&ending, known, line);
        let sentence = report.lines().next().unwrap_or_default().to_owned();
        let ports = known.map(|app| app.ports.clone()).unwrap_or_default();
        let declares = !ports.is_empty();
        self.ended.push(Ended { name, ports, declares, sentence });
        Some(report)
    }

    /// Names of the trusted apps that have ended, and why.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ended.iter().map(|ended| (ended.name.as_str(), ended.sentence.as_str()))
    }

    /// Why a port is gone: the app that declares it has ended. Where no app that has ended declares ports, it may have been any.
    pub fn of_port(&self, port: &[u8]) -> Option<String> {
        let has = |ended: &&Ended| ended.ports.iter().any(|path| path.as_bytes() == port);
        let declared = |app: &KnownApp| app.ports.iter().any(|path| path.as_bytes() == port);
        if let Some(ended) = self.ended.iter().find(has) {
            return Some(ended.sentence.clone());
        }
        let other = self.symbols.apps.iter().any(declared);
        let ended = self.ended.iter().find(|ended| !ended.declares && !other)?;
        Some(format!("perhaps it was a port of this one: {}", ended.sentence))
    }
}

/// The name of a TA that has ended, and all that can be said of it.
fn report(ending: &Ending, known: Option<&KnownApp>, line: &str) -> (String, String) {
    let Some(known) = known else {
        // The name that it bears on the console.
        let name = line.split(": ended: ").next().unwrap_or_default().to_owned();
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
        assert_eq!(ends.all().map(|(name, _)| name).collect::<Vec<_>>(), ["one-srv"]);
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
