//! Trusted apps at the moment at which all of them wait for clients, to which they can go back: each case begins there.

use crate::clock::Clock;
use crate::comparisons::Compared;
use crate::coverage::Coverage;
use crate::image::ImageError;
use crate::process::{AppState, Crash, Known, Process, Saved};
use std::time::Duration;
use trusty_model::Kernel;
use trusty_model::case::{Action, Case};
use trusty_model::clients::Clients;
use trusty_model::hwkey::Agent;
use unicorn_engine::uc_error;

/// Instructions of all apps until all wait. Beyond them an app is taken not to wait any more.
const MOST: u64 = 50_000_000;
/// The same where comparisons are told.
const MOST_TOLD: u64 = 300_000;
/// How often time passes at the end of a case, to what is waited for next.
const TIMERS: usize = 4;

/// Trusted apps, and the moment to go back to.
pub struct Scene {
    kernel: Kernel,
    apps: Vec<Process>,
    agent: Option<Agent>,
    /// Those who do what a case says, before they have done anything.
    clients: Clients,
    clock: Clock,
    /// The app that is looked at.
    target: usize,
    start: (Kernel, Vec<Saved>, Clock),
    most: u64,
    /// Instructions of all cases.
    pub spent: u64,
}

/// What a case has brought about, if it is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Find {
    /// Which app.
    app: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Crash(Crash),
    /// It ended itself.
    Ended,
    /// It does not wait any more.
    RunsOn,
}

/// Why there is no scene.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The trusted app.
    #[error("no trusted app with UUID {0} is in the image")]
    NoSuchApp(uuid::Uuid),
    /// It does not get to where clients could come.
    #[error("it cannot be tried: at its start {0}")]
    Start(String),
    /// The engine.
    #[error("the engine keeps no moment: {0:?}")]
    Engine(uc_error),
}

impl From<uc_error> for SceneError {
    fn from(error: uc_error) -> Self {
        Self::Engine(error)
    }
}

impl Scene {
    /// Starts the trusted apps of an image, and keeps the moment at which all wait.
    pub fn new(
        elves: &[Vec<u8>],
        known: &dyn Known,
        target: uuid::Uuid,
        agent: bool,
        memory: Option<u64>,
    ) -> Result<Self, SceneError> {
        let mut kernel = Kernel::new();
        let linux = kernel.add_linux();
        let clients = Clients::new(&mut kernel, linux);
        let load = |(index, elf): (usize, &Vec<u8>)| Process::load(index, elf, &mut kernel, known);
        let mut apps: Vec<Process> = elves.iter().enumerate().map(load).collect::<Result<_, _>>()?;
        let at = apps.iter().position(|app| app.app.manifest.uuid == target);
        let at = at.ok_or(SceneError::NoSuchApp(target))?;
        apps.iter_mut().for_each(|app| app.muted = true);
        if let Some(bytes) = memory {
            kernel.limit_memory(bytes);
        }
        let agent = agent.then(|| Agent::start(&mut kernel));
        let clock = Clock::Counted(Duration::ZERO);
        let start = (Kernel::new(), Vec::new(), clock);
        let mut this = Self { kernel, apps, agent, clients, clock, target: at, start, most: MOST, spent: 0 };
        if let Some(find) = this.settle(&mut this.clients.clone()) {
            // Others may end at their start, as some of NVIDIA's do without their devices.
            if find.app == at || find.what != What::Ended {
                return Err(SceneError::Start(this.report(&find)));
            }
        }
        let saved = this.apps.iter().map(Process::save).collect::<Result<_, _>>()?;
        this.start = (this.kernel.clone(), saved, this.clock);
        Ok(this)
    }

    /// The app that is looked at.
    pub fn target(&mut self) -> Option<&mut Process> {
        self.apps.get_mut(self.target)
    }

    /// The ways that it went in the last case.
    pub fn coverage(&mut self) -> Option<&mut Coverage> {
        self.target().map(|app| app.machine.coverage())
    }

    /// Tells what the app that is looked at compares, from now on: it is much slower then.
    pub fn tell_comparisons(&mut self) -> Result<(), SceneError> {
        self.most = MOST_TOLD;
        self.target().map_or(Ok(()), |app| Ok(app.machine.tell_comparisons()?))
    }

    /// What it compared in a case.
    pub fn compared(&mut self, case: &Case) -> Result<Vec<Compared>, SceneError> {
        self.target().map(|app| app.machine.comparisons().take());
        self.play(case)?;
        Ok(self.target().map(|app| app.machine.comparisons().take()).unwrap_or_default())
    }

    /// Goes back, and does what a case says. What it brought about that should not be.
    pub fn play(&mut self, case: &Case) -> Result<Option<Find>, SceneError> {
        let (kernel, saved, clock) = &self.start;
        (self.kernel, self.clock) = (kernel.clone(), *clock);
        for (app, saved) in self.apps.iter_mut().zip(saved) {
            app.restore(saved)?;
        }
        if let Some(coverage) = self.coverage() {
            coverage.clear();
        }
        let mut clients = self.clients.clone();
        for action in &case.0 {
            clients.act(&mut self.kernel, action);
            if let Some(find) = self.settle(&mut clients) {
                return Ok(Some(find));
            }
        }
        clients.leave(&mut self.kernel);
        for _ in 0..=TIMERS {
            if let Some(find) = self.settle(&mut clients) {
                return Ok(Some(find));
            }
            let until = self.apps.iter().filter_map(|app| match app.state {
                AppState::Waiting(_, until) => until,
                _ => None,
            });
            let Some(until) = until.min() else { break };
            self.clock = Clock::Counted(until.max(self.clock.now()));
        }
        Ok(None)
    }

    /// Lets all run until all wait.
    fn settle(&mut self, clients: &mut Clients) -> Option<Find> {
        let mut left = self.most;
        loop {
            let mut passed = false;
            for (index, app) in self.apps.iter_mut().enumerate() {
                if !app.wake(&mut self.kernel, &self.clock) {
                    continue;
                }
                passed = true;
                let before = app.machine.instructions();
                if let Err(crash) = app.run(&mut self.kernel, &self.clock) {
                    return Some(Find { app: index, what: What::Crash(crash) });
                }
                // An instruction is a nanosecond, and a call of the kernel is at least one.
                let ran = (app.machine.instructions() - before).max(1);
                self.clock = Clock::Counted(self.clock.now() + Duration::from_nanos(ran));
                if app.state == AppState::Exited {
                    return Some(Find { app: index, what: What::Ended });
                }
                self.spent = self.spent.saturating_add(ran);
                left = left.saturating_sub(ran);
                if left == 0 {
                    return Some(Find { app: index, what: What::RunsOn });
                }
            }
            passed |= self.agent.as_ref().is_some_and(|agent| agent.serve(&mut self.kernel));
            passed |= clients.serve(&mut self.kernel);
            if !passed {
                return None;
            }
        }
    }

    /// What tells a find from another: what happened in which line, or function, of the sources. Without them the place in the code.
    pub fn key(&self, find: &Find, place: &str) -> String {
        let What::Crash(crash @ Crash::Fault(fault)) = &find.what else { return place.to_owned() };
        if matches!(fault.access, trusty_fault::Access::Fetch(_)) {
            // Where it jumped to is whatever stood on the stack.
            return "jump".into();
        }
        let report = self.apps.get(find.app).map(|app| app.report(crash)).unwrap_or_default();
        let line = |mark: &str| report.lines().find_map(|line| line.trim_start().strip_prefix(mark));
        let function = |line: &str| {
            line.split_once('(').map(|(_, rest)| rest.split(" + ").next().unwrap_or(rest).to_owned())
        };
        let functions =
            || Some([line("at ").and_then(function)?, line("from ").and_then(function)?].concat());
        let at = line("place ").map(str::to_owned).or_else(functions);
        at.map_or_else(|| place.to_owned(), |at| format!("fault {at}"))
    }

    /// Where it happened, in the code, and what.
    pub fn place(&self, find: &Find) -> String {
        let Some(app) = self.apps.get(find.app) else { return String::new() };
        let what = match &find.what {
            What::Crash(Crash::Fault(fault)) => {
                let [.., pc] = fault.registers;
                let kind =
                    if fault.access.address().is_some_and(|address| address < 0x1000) { "null" } else { "" };
                format!("fault {pc:x} {kind}")
            }
            What::Crash(Crash::Kernel(why)) => format!("kernel {why}"),
            What::Ended => app.ending.as_ref().map(trusty_fault::Ending::key).unwrap_or_default(),
            What::RunsOn => "runs on".into(),
        };
        format!("{} {what}", app.name)
    }

    /// What can be said of a find, right behind its case.
    pub fn report(&self, find: &Find) -> String {
        let Some(app) = self.apps.get(find.app) else { return String::new() };
        match &find.what {
            What::Crash(crash) => app.report(crash),
            What::Ended => app.ending.as_ref().map(|ending| app.last_words(ending)).unwrap_or_default(),
            What::RunsOn => {
                format!("{} does not wait for messages any more: {} instructions\n", app.name, self.most)
            }
        }
    }

    /// Writes the core file of a fault, right behind its case, if one is wanted.
    pub fn dump(&self, find: &Find) {
        if let (Some(app), What::Crash(crash)) = (self.apps.get(find.app), &find.what) {
            app.dump(crash);
        }
    }

    /// Paths of the ports of the app that is looked at.
    pub fn ports(&self) -> Vec<String> {
        let ports = self.apps.get(self.target).map(|app| app.ports.as_slice()).unwrap_or_default();
        ports.iter().filter_map(|port| String::from_utf8(port.clone()).ok()).collect()
    }

    /// Its code.
    pub fn code(&self) -> Vec<u32> {
        let code = self.apps.get(self.target).into_iter().flat_map(Process::code);
        let words = code.flat_map(|code| code.as_chunks().0);
        words.map(|word| u32::from_le_bytes(*word)).collect()
    }
}

/// A case that connects to a port and does so much.
pub fn at_port(port: &str, action: Option<Action>) -> Case {
    Case([Action::Connect(port.to_owned())].into_iter().chain(action).collect())
}
