//! Tries cases, keeps those that go new ways, and what they find.

use super::files::{self, FileError};
use super::mutate::Mutator;
use super::scene::{Find, Scene, SceneError, at_port};
use super::shrink::shrink;
use super::solve::{Solved, Solver};
use super::words;
use crate::coverage::Seen;
use crate::say;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trusty_model::case::{Action, Case};

/// How often it is told how far it is.
const TELL: Duration = Duration::from_secs(10);
/// Of so many of the newest cases one is taken every second time.
const NEWEST: usize = 16;
/// Most cases that were made of comparisons and wait.
const SOLVED: usize = 4096;
/// Most bytes of a case of which cases are made so.
const SOLVED_SIZE: usize = 16 << 10;
/// Instructions for making a case small, at most.
const SHRINKING: u64 = 1_000_000_000;
/// How much longer an instruction takes where comparisons are told, about.
const TELLING: u64 = 20;

/// What was found, with the smallest case for it.
struct Found {
    key: String,
    report: String,
    file: PathBuf,
    /// Whether its case was there before.
    known: bool,
    after: Duration,
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
pub enum FuzzError {
    /// The trusted apps.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// A case.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is nothing to send to.
    #[error("it has made no port: there is nothing to send to")]
    NoPort,
}

/// Cases, and what they have shown.
pub struct Campaign {
    scene: Scene,
    /// The same, which tells what is compared.
    tracer: Scene,
    solver: Solver,
    solved: VecDeque<Solved>,
    mutator: Mutator,
    seen: Seen,
    corpus: Vec<Case>,
    found: Vec<Found>,
    /// Keys of the finds, by what is known without their reports.
    keys: BTreeMap<String, String>,
    mended: Vec<PathBuf>,
    dir: PathBuf,
    cases: u64,
    start: Instant,
}

impl Campaign {
    /// Begins with the cases of a folder, and with some of its own.
    pub fn new(
        scene: Scene,
        mut tracer: Scene,
        dir: &Path,
        seed: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self, FuzzError> {
        tracer.tell_comparisons()?;
        let ports = scene.ports();
        if ports.is_empty() {
            return Err(FuzzError::NoPort);
        }
        let words = words::in_code(&scene.code());
        let firsts: Vec<Case> = ports.iter().flat_map(|port| first(port, &words)).collect();
        let mutator = Mutator::new(seed, ports.clone(), words);
        let mut this = Self {
            scene,
            tracer,
            solver: Solver::default(),
            solved: VecDeque::new(),
            mutator,
            seen: Seen::default(),
            corpus: Vec::new(),
            found: Vec::new(),
            keys: BTreeMap::new(),
            mended: Vec::new(),
            dir: dir.to_owned(),
            cases: 0,
            start: Instant::now(),
        };
        for (file, case) in files::read_all(&files::finds(dir))? {
            match this.play(&case)? {
                Some(find) => this.keep_find(&case, &find, Some(file))?,
                None => this.mended.push(file),
            }
            this.corpus.push(case);
        }
        for (file, case) in files::read_all(&files::corpus(dir))? {
            if stop() {
                break;
            }
            if let Some(find) = this.play(&case)? {
                this.keep_find(&case, &find, Some(file))?;
            }
            this.seen_new();
            this.corpus.push(case);
        }
        for case in firsts {
            if stop() {
                break;
            }
            this.try_case(case)?;
        }
        if this.corpus.is_empty() {
            this.corpus.extend(ports.iter().map(|port| at_port(port, None)));
        }
        Ok(this)
    }

    fn play(&mut self, case: &Case) -> Result<Option<Find>, SceneError> {
        self.cases += 1;
        self.scene.play(case)
    }

    /// Whether the last case went a new way.
    fn seen_new(&mut self) -> bool {
        let Self { scene, seen, .. } = self;
        scene.coverage().is_some_and(|coverage| seen.take(coverage))
    }

    fn try_case(&mut self, case: Case) -> Result<(), FuzzError> {
        let find = self.play(&case)?;
        let new = self.seen_new();
        if let Some(find) = find {
            return self.keep_find(&case, &find, None);
        }
        if new {
            files::write(&files::corpus(&self.dir), &case, "")?;
            let coloured = self.mutator.coloured(&case);
            let small = case.0.iter().map(Action::size).sum::<usize>() <= SOLVED_SIZE;
            for like in [&case, &coloured].into_iter().filter(|_| small) {
                let compared = self.tracer.compared(like)?;
                let solved = self.solver.solve(like, &compared);
                self.queue(solved);
            }
            self.corpus.push(case);
        }
        Ok(())
    }

    /// What may come to a new place of the code is tried first.
    fn queue(&mut self, solved: Vec<Solved>) {
        for solved in solved.into_iter().rev() {
            if solved.urgent {
                self.solved.push_front(solved);
            } else {
                self.solved.push_back(solved);
            }
        }
        self.solved.truncate(SOLVED);
    }

    /// Tries what was made of a comparison.
    fn try_solved(&mut self, Solved { case, leads_on, .. }: Solved) -> Result<(), FuzzError> {
        if leads_on {
            let compared = self.tracer.compared(&case)?;
            if self.solver.is_further(&compared) {
                let solved = self.solver.solve(&case, &compared);
                self.queue(solved);
            }
        }
        self.try_case(case)
    }

    /// Tries a case that is made of one that was kept.
    fn try_mutated(&mut self) -> Result<(), FuzzError> {
        let newest = self.mutator.below(2) == Some(0);
        let from = if newest { self.corpus.len().saturating_sub(NEWEST) } else { 0 };
        let at = from + self.mutator.below(self.corpus.len() - from).unwrap_or_default();
        let other = self.mutator.below(self.corpus.len()).unwrap_or_default();
        let (Some(case), Some(other)) = (self.corpus.get(at), self.corpus.get(other)) else { return Ok(()) };
        let case = self.mutator.mutate(case, other);
        self.try_case(case)
    }

    /// Keeps a find that is not known yet, with a case as small as possible; or the file that its case has already.
    fn keep_find(&mut self, case: &Case, find: &Find, file: Option<PathBuf>) -> Result<(), FuzzError> {
        let key = self.key(find);
        if self.found.iter().any(|found| found.key == key) {
            return Ok(());
        }
        let small = match &file {
            Some(_) => case.clone(),
            None => {
                let enough = self.scene.spent.saturating_add(SHRINKING);
                shrink(case, |smaller| {
                    Ok::<_, SceneError>(self.scene.spent < enough && self.is(smaller, &key)?)
                })?
            }
        };
        let Some(find) = self.play(&small)? else { return Ok(()) };
        let report = self.scene.report(&find);
        let known = file.is_some();
        let file = file.map_or_else(|| files::write(&files::finds(&self.dir), &small, &report), Ok)?;
        let after = self.start.elapsed();
        say::line(&format!("after {} s: {}", after.as_secs(), report.lines().next().unwrap_or_default()));
        self.found.push(Found { key, report, file, known, after });
        Ok(())
    }

    fn is(&mut self, case: &Case, key: &str) -> Result<bool, SceneError> {
        let find = self.play(case)?;
        Ok(find.is_some_and(|find| self.key(&find) == key))
    }

    /// What tells a find from another, right behind its case. A report takes long: one is made for each place in the code.
    fn key(&mut self, find: &Find) -> String {
        let Self { scene, keys, .. } = self;
        keys.entry(scene.place(find)).or_insert_with_key(|place| scene.key(find, place)).clone()
    }

    /// Tries for so long, or until so much is found, or it is to stop.
    pub fn run(&mut self, time: Duration, most: usize, stop: &dyn Fn() -> bool) -> Result<(), FuzzError> {
        let mut told = Instant::now();
        while self.start.elapsed() < time && self.found.len() < most && !stop() {
            // Half of the time is for comparisons, as long as there are any. It is counted in instructions, so that a seed repeats.
            let telling = self.tracer.spent.saturating_mul(TELLING);
            let solved = if telling <= self.scene.spent { self.solved.pop_front() } else { None };
            match solved {
                Some(solved) => self.try_solved(solved)?,
                None => self.try_mutated()?,
            }
            if told.elapsed() > TELL {
                told = Instant::now();
                say::line(&format!("{} s: {}", self.start.elapsed().as_secs(), self.summary()));
            }
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let Self { cases, corpus, found, .. } = self;
        format!(
            "{cases} cases, {} ways, {} cases kept, {} found",
            self.seen.ways(),
            corpus.len(),
            found.len()
        )
    }

    /// What came of it.
    pub fn result(&self) -> Value {
        let found = self.found.iter().map(|found| {
            json!({
                "report": found.report,
                "file": found.file,
                "known": found.known,
                "seconds": found.after.as_secs_f64(),
            })
        });
        json!({
            "cases": self.cases,
            "seconds": self.start.elapsed().as_secs_f64(),
            "ways": self.seen.ways(),
            "corpus": self.corpus.len(),
            "found": found.collect::<Vec<_>>(),
            "mended": self.mended,
        })
    }
}

/// What is tried first at a port: nothing, zeros, transfers, and each number that the app compares with.
fn first(port: &str, words: &[u32]) -> Vec<Case> {
    let sends = [0, 4, 64, 1024].map(|length| Action::Send(0, vec![0; length]));
    let bulks = (0..4).flat_map(|tag| [0, 64, 8192].map(|length| Action::Bulk(0, tag, vec![0; length])));
    let compared = words.iter().flat_map(|word| {
        [4, 64].map(|length| {
            let mut bytes = word.to_le_bytes().to_vec();
            bytes.resize(length, 0);
            Action::Send(0, bytes)
        })
    });
    let actions = sends.into_iter().chain(bulks).chain(compared).map(Some);
    [None].into_iter().chain(actions).map(|action| at_port(port, action)).collect()
}
