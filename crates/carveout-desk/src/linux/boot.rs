//! What is known of a boot: stages with their times, units that failed, units that took longest.

use super::commands::ask;
use super::guest::{Guest, Until};
use super::kernel::KernelPackage;
use crate::errors::LinuxError;
use carveout_host::error::Result;
use carveout_host::text::Shown;
use serde::Serialize;
use std::path::PathBuf;

/// The word that stands for the whole system.
pub const RUNNING: &str = "running";
/// Units that are told: those that took longest.
const SLOWEST: usize = 5;
/// Lines of a failed unit's log that are told.
const LINES: &str = "6";
/// Waits until systemd has started all that it wants to, and prints how the system is. systemd before 240 does not wait itself.
const WAIT: &str = "while [ ! -e /run/systemd/private ]; do sleep 0.1; done
s=starting
while [ \"$s\" = starting ] || [ \"$s\" = initializing ] || [ \"$s\" = offline ]; do
  s=$(systemctl is-system-running --wait 2>/dev/null) || [ -n \"$s\" ] || s=starting
  case $s in starting|initializing|offline) sleep 0.2;; esac
done
echo \"$s\"";
/// Waits until a unit is active, has failed, or has ended well.
const WAIT_UNIT: &str = "while [ ! -e /run/systemd/private ]; do sleep 0.1; done
while :; do
  s=$(systemctl is-active -- \"$1\")
  case $s in
    active|failed) break;;
    inactive)
      case $(systemctl show -p LoadState -p ExecMainExitTimestampMonotonic -- \"$1\") in
        *LoadState=not-found*) s='not there'; break;;
        *Monotonic=[1-9]*) s=active; break;;
      esac;;
  esac
  sleep 0.2
done
echo \"$s\"";

/// A stage of a boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BootStage {
    /// `kernel`: it runs our agent; `modules`: it has its drivers; `root`: the root filesystem is mounted; `device`: Trusty's device
    /// is there; `system`: what was waited for.
    pub stage: String,
    /// Milliseconds since the machine was started.
    pub milliseconds: u64,
}

/// A unit, and how long it took to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnitTime {
    /// Its name.
    pub unit: String,
    /// As systemd-analyze says it.
    pub time: String,
}

/// What is known of a boot.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinuxBoot {
    /// The kernel.
    pub kernel: KernelPackage,
    /// Whether it started from a snapshot.
    pub from_snapshot: bool,
    /// What was reached when.
    pub stages: Vec<BootStage>,
    /// Units that have failed; null unless the system was waited for.
    pub failed_units: Option<Vec<String>>,
    /// Units that took longest; null unless the system was waited for, and somebody is told.
    pub slowest_units: Option<Vec<UnitTime>>,
    /// Times that the guest started again.
    pub reboots: u32,
    /// What had stopped Trusty when the guest started again, a line each time.
    pub faults: Vec<String>,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// The file with the guest's console.
    pub console: PathBuf,
}

impl LinuxBoot {
    /// Of which nothing is known yet but its kernel and where its console is.
    pub fn new(kernel: KernelPackage, console: PathBuf) -> Self {
        Self {
            kernel,
            from_snapshot: false,
            stages: Vec::new(),
            failed_units: None,
            slowest_units: None,
            reboots: 0,
            faults: Vec::new(),
            exit_code: None,
            console,
        }
    }

    /// Waits for a unit, or for the whole system.
    pub fn wait_for(&mut self, unit: &str, guest: &mut Guest, until: Until) -> Result<()> {
        let whole = unit == RUNNING;
        let words = if whole { vec!["sh", "-c", WAIT] } else { vec!["sh", "-c", WAIT_UNIT, "sh", unit] };
        let (_, state) = ask(guest, &words, until)?;
        let milliseconds = u64::try_from(guest.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stages.push(BootStage { stage: "system".into(), milliseconds });
        let state = Shown(state.trim()).to_string();
        if whole {
            let failed =
                ["systemctl", "list-units", "--state=failed", "--no-legend", "--plain", "--no-pager"];
            let (_, failed) = ask(guest, &failed, until)?;
            let failed: Vec<String> =
                failed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
            self.failed_units = Some(failed.clone());
            if state == RUNNING {
                return Ok(());
            }
            let mut lines = String::new();
            for unit in &failed {
                lines += &format!("\n  {} has failed", Shown(unit));
                lines += &log_of(unit, guest, until)?;
            }
            return Err(LinuxError::UnitFailed { unit: "the system".into(), state, lines }.into());
        }
        if state == "active" {
            return Ok(());
        }
        let lines = log_of(unit, guest, until)?;
        Err(LinuxError::UnitFailed { unit: unit.into(), state, lines }.into())
    }

    /// Asks which units took longest. The guest needs seconds for that.
    pub fn ask_units(&mut self, guest: &mut Guest, until: Until) -> Result<()> {
        let (_, blame) = ask(guest, &["systemd-analyze", "--no-pager", "blame"], until)?;
        self.slowest_units = Some(slowest(&blame));
        Ok(())
    }

    /// A table of stages.
    pub fn table(&self) -> String {
        let stages = self.stages.iter();
        let mut text: String = stages
            .map(|stage| format!("{:<10} {:>6.1} s\n", stage.stage, stage.milliseconds as f64 / 1000.0))
            .collect();
        for unit in self.slowest_units.iter().flatten() {
            text += &format!("  {:>8}  {}\n", Shown(&unit.time), Shown(&unit.unit));
        }
        text
    }
}

/// The last lines of a unit's log.
fn log_of(unit: &str, guest: &mut Guest, until: Until) -> Result<String> {
    let (_, log) =
        ask(guest, &["journalctl", "-b", "-u", unit, "-n", LINES, "--no-pager", "-o", "cat"], until)?;
    Ok(log.lines().map(|line| format!("\n  | {}", Shown(line))).collect())
}

/// The first lines of what `systemd-analyze blame` prints: `1min 2.345s name.service`.
fn slowest(blame: &str) -> Vec<UnitTime> {
    let unit = |line: &str| {
        let (time, unit) = line.trim().rsplit_once(' ')?;
        Some(UnitTime { unit: unit.to_owned(), time: time.to_owned() })
    };
    blame.lines().filter_map(unit).take(SLOWEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_units_are_read() {
        let blame = "1min 2.345s a.service\n     823ms b.mount\nnonsense\n";
        let unit = |unit: &str, time: &str| UnitTime { unit: unit.into(), time: time.into() };
        assert_eq!(slowest(blame), [unit("a.service", "1min 2.345s"), unit("b.mount", "823ms")]);
        assert_eq!(slowest(&"1s x\n".repeat(9)).len(), SLOWEST);
    }
}
