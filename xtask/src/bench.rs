//! `bench`: what bulk transfers cost, measured in one run: through the emulator, and through the real kernel where there is one;
//! and what flashing and verifying cost beside common tools.

mod field;

use carveout_build::apps::Apps;
use carveout_build::make;
use carveout_build::make::BuildRequest;
use carveout_build::stages::secure_os;
use carveout_build::workshop::Sources;
use carveout_desk::Workshop;
use carveout_desk::console::Console;
use carveout_desk::device_keys::{DeviceKeys, KeysRequest};
use carveout_desk::emulator::Emulator;
use carveout_desk::run::Running;
use carveout_desk::symbols::Symbols;
use carveout_desk::{BootImage, Desk, Setup, has_kernel};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::outcome::{Outcome, columns};
use carveout_host::process;
use carveout_host::size::human;
use carveout_host::text::Text;
use carveout_host::tools::scratch;
use carveout_host::ui::Ui;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The client app, and the trusted app that it talks to.
const CLIENT: &str = "echo-srv-app";
const TRUSTED_APP: &str = "echo-srv";
/// Sizes of the files that are echoed, in bytes.
const SIZES: [u64; 7] = [4 << 10, 64 << 10, 1 << 20, 5 << 20, 16 << 20, 32 << 20, 64 << 20];
/// From this size on the costs of a connection do not show.
const LARGE: u64 = 1 << 20;
/// A payload share that bulk transfers reach, of messages of 4080 bytes.
const PAYLOAD: f64 = 0.99;
/// By how much the cost of a byte may differ between large transfers and be called linear.
const LINEAR: f64 = 1.05;

/// Of `bench`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Measured {
    /// Echoes of files, from small to large.
    rows: Vec<Row>,
    /// carveout beside common tools.
    peers: Vec<field::Compared>,
    /// What is promised, and whether it holds.
    verdicts: Vec<(String, bool)>,
}

/// One measurement.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Echo")]
struct Row {
    /// Bytes of the file.
    bytes: u64,
    /// Time of the echo.
    seconds: f64,
    /// Bytes each second, both ways.
    bytes_per_second: f64,
    /// Payload of the bytes of a message, 0 to 1.
    payload_share: f64,
    /// Instructions of the trusted app.
    instructions: u64,
    /// Instructions for each byte.
    instructions_per_byte: f64,
    /// Bytes of the heap that were touched.
    heap_touched: u64,
    /// Bytes of the stack that were touched.
    stack_touched: u64,
    /// Whether every byte came back as it was sent.
    intact: bool,
    /// The same through the image's own kernel, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel_bytes_per_second: Option<f64>,
}

struct Bench {
    emulator: PathBuf,
    client: PathBuf,
    image: PathBuf,
    /// The trusted app that is measured, as UUID=NAME.
    name: String,
    dir: carveout_host::tools::Scratch,
    /// The image's own kernel, in QEMU, if it has one.
    kernel: Option<Setup>,
}

/// Measures, prints a table, and fails if what carveout promises does not hold.
pub fn run(request: &BuildRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workshop = Sources::new(dirs, request.offline, ui);
    let (image, name, tzdram) = make::with_build(&request.without_rootfs(), dirs, ui, |build| {
        let product = build.product;
        if !product.trusted_apps.iter().any(|app| app.name == TRUSTED_APP) {
            let what =
                format!("{}: has no trusted app {TRUSTED_APP}, which is measured", product.path.display());
            return Err(Error::usage(what).remedy("measure a product that has it, as configs/desk.yaml"));
        }
        let apps = Apps::build(build)?;
        let measured = apps.built.iter().find(|built| built.name == TRUSTED_APP);
        let uuid = measured.map(|built| built.elf.manifest.uuid).unwrap_or_default();
        let image =
            make::image_of(build, make::bsp(build)?.as_ref(), &apps.files)?.dir.join(secure_os::IMAGE);
        Ok((image, format!("--name={uuid}={TRUSTED_APP}"), product.tzdram))
    })?;
    let bytes = fs::read(&image).at(&image)?;
    let kernel = has_kernel(&bytes).then(|| {
        let image = BootImage::new(secure_os::IMAGE, &bytes, tzdram)?;
        let keys = DeviceKeys::new(&KeysRequest::default(), ui)?;
        Setup::get(image, keys, &workshop, dirs, request.offline, ui)
    });
    let bench = Bench {
        kernel: kernel.transpose()?,
        emulator: workshop.emulator()?,
        client: workshop.client_for_host(CLIENT)?,
        image,
        name,
        dir: scratch("bench")?,
    };
    let idle = bench.echo(0)?;
    let mut rows = Vec::new();
    for bytes in SIZES {
        ui.note(&format!("echoing {}", human(bytes)));
        rows.push(bench.row(bytes, &idle.1)?);
    }
    let peers = field::run(ui)?;
    let mut verdicts = verdicts(&rows);
    verdicts.extend(peers.iter().map(field::Compared::verdict));
    let failed = verdicts.iter().any(|(_, holds)| !holds);
    let line = text(&rows, &field::text(&peers), &verdicts);
    let json = json!(Measured { rows, peers, verdicts });
    Ok(Outcome { line: Some(line), json, failed, ..Outcome::default() })
}

impl Bench {
    /// Echoes a file of so many bytes on an emulator of its own: what the client says, and what the trusted app used.
    fn echo(&self, bytes: u64) -> Result<(Value, Value)> {
        let from = self.dir.path().join("in");
        carveout_host::files::put(&from, pattern(bytes))?;
        let socket = self.dir.path().join("trusty");
        let emulator = Emulator::start(
            &self.emulator,
            &self.image,
            std::slice::from_ref(&self.name),
            &socket,
            self.dir.path(),
            true,
            &|| {},
        )?;
        let client = self.client(&socket, bytes);
        let stats = emulator.stop()?;
        let client = client?;
        let apps = stats.get("trusted_apps").and_then(Value::as_array);
        let is = |app: &&Value| app.get("name").and_then(Value::as_str) == Some(TRUSTED_APP);
        let measured = apps.into_iter().flatten().find(is).cloned().unwrap_or_default();
        Ok((client, measured))
    }

    /// Runs the client app to its end: what it says.
    fn client(&self, socket: &Path, bytes: u64) -> Result<Value> {
        let sh = process::shell(Path::new("."))?;
        let command = sh.cmd(&self.client).arg("--device").arg(socket);
        let command = command.args(["--ta", TRUSTED_APP, "--json", "--file"]);
        let [from, to] = ["in", "out"].map(|name| self.dir.path().join(name));
        let output = process::output(command.arg(from).arg("--output").arg(to), None)
            .map_err(|unstarted| unstarted.of("a client app"))?;
        let client: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| Error::check(format!("{CLIENT} printed no JSON: {e}")))?;
        if !output.status.success() {
            return Err(Error::check(format!("{CLIENT} failed at {bytes} bytes: {client}")));
        }
        Ok(client)
    }

    /// The rate of the same echo through the real kernel, if every byte comes back.
    fn through_kernel(&self, kernel: &Setup, bytes: u64) -> Result<f64> {
        let dir = scratch("bench-kernel")?;
        let console = Console::create(&dir.path().join("console.log"), false)?;
        let desk = Desk::start(kernel, dir.path(), console)?;
        let socket = dir.path().join("trusty");
        let running = Running::start(desk, Symbols::default(), &kernel.qemu.version, &socket)?;
        let client = self.client(&socket, bytes);
        running.stop()?;
        if !same(&self.dir.path().join("in"), &self.dir.path().join("out"))? {
            return Err(Error::check(format!("{bytes} bytes came back otherwise through the real kernel")));
        }
        Ok(client?.get("bytes_per_second").and_then(Value::as_f64).unwrap_or_default())
    }

    fn row(&self, bytes: u64, idle: &Value) -> Result<Row> {
        let (client, app) = self.echo(bytes)?;
        let intact = same(&self.dir.path().join("in"), &self.dir.path().join("out"))?;
        let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
        let real = |key: &str| client.get(key).and_then(Value::as_f64).unwrap_or_default();
        let kernel_bytes_per_second =
            self.kernel.as_ref().map(|kernel| self.through_kernel(kernel, bytes)).transpose()?;
        let instructions = number(&app, "instructions").saturating_sub(number(idle, "instructions"));
        Ok(Row {
            bytes,
            seconds: real("seconds"),
            bytes_per_second: real("bytes_per_second"),
            payload_share: real("payload_share"),
            instructions,
            instructions_per_byte: instructions as f64 / bytes as f64,
            heap_touched: number(&app, "heap_touched"),
            stack_touched: number(&app, "stack_touched"),
            intact,
            kernel_bytes_per_second,
        })
    }
}

/// Bytes without a short period.
fn pattern(bytes: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..bytes).map(next).collect()
}

fn same(a: &Path, b: &Path) -> Result<bool> {
    Ok(bundle::hash_file(a).at(a)? == bundle::hash_file(b).at(b)?)
}

/// What is promised of bulk transfers, and whether it holds.
fn verdicts(rows: &[Row]) -> Vec<(String, bool)> {
    let large: Vec<&Row> = rows.iter().filter(|row| row.bytes >= LARGE).collect();
    let share = large.iter().map(|row| row.payload_share).fold(f64::INFINITY, f64::min);
    let costs = || large.iter().map(|row| row.instructions_per_byte);
    let (least, most) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
    let memory = |row: &Row| (row.heap_touched, row.stack_touched);
    let constant = rows.windows(2).all(|pair| matches!(pair, [a, b] if memory(a) == memory(b)));
    vec![
        ("every byte came back as it was sent".into(), rows.iter().all(|row| row.intact)),
        (
            format!("payload: {:.2} % of the 4080 bytes of a message, at least 99 %", share * 100.0),
            share >= PAYLOAD,
        ),
        ("the trusted app's memory is the same for every size".into(), constant),
        (
            format!(
                "cost grows linearly: a byte takes {least:.2} to {most:.2} instructions from {} on",
                human(LARGE)
            ),
            most <= least * LINEAR,
        ),
    ]
}

fn text(rows: &[Row], peers: &Text, verdicts: &[(String, bool)]) -> Text {
    let head = ["echoed", "time", "rate, both ways", "payload", "instructions", "per byte", "heap", "stack"];
    let mut table: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    let kernel = rows.iter().any(|row| row.kernel_bytes_per_second.is_some());
    if let Some(head) = table.first_mut().filter(|_| kernel) {
        head.extend(["real kernel", "ratio"].map(str::to_owned));
    }
    for row in rows {
        let real = row
            .kernel_bytes_per_second
            .map(|rate| [format!("{}/s", human(rate as u64)), format!("{:.2}", rate / row.bytes_per_second)]);
        let cells = [
            human(row.bytes),
            format!("{:.3} s", row.seconds),
            format!("{}/s", human(row.bytes_per_second as u64)),
            format!("{:.2} %", row.payload_share * 100.0),
            row.instructions.to_string(),
            format!("{:.2}", row.instructions_per_byte),
            human(row.heap_touched),
            human(row.stack_touched),
        ];
        table.push(cells.into_iter().chain(real.into_iter().flatten()).collect());
    }
    let mut text = Text::new();
    let _ = writeln!(
        text,
        "files echoed by {TRUSTED_APP} as they flow; time is that of the emulator on this host, instructions are the TA's"
    );
    text.push_str("\n");
    text.push(&columns(&table));
    text.push_str("\n");
    if kernel {
        text.push_str(
            "real kernel: the image's own in QEMU, in the same run; ratio: its rate to the emulator's\n",
        );
    }
    text.push_str("\n");
    text.push(peers);
    text.push_str("\n");
    for (what, holds) in verdicts {
        let _ = writeln!(text, "{}: {what}", if *holds { "ok" } else { "FAILED" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: u64, per_byte: f64, heap: u64) -> Row {
        Row {
            bytes,
            seconds: 1.0,
            bytes_per_second: 1.0,
            payload_share: 0.995,
            instructions: 1,
            instructions_per_byte: per_byte,
            heap_touched: heap,
            stack_touched: 1,
            intact: true,
            kernel_bytes_per_second: None,
        }
    }

    #[test]
    fn promises_can_fail() {
        let held = |rows: &[Row]| verdicts(rows).iter().map(|(_, holds)| *holds).collect::<Vec<_>>();
        assert_eq!(held(&[row(1, 99.0, 4), row(LARGE, 8.0, 4), row(2 * LARGE, 8.1, 4)]), [true; 4]);
        assert_eq!(held(&[row(LARGE, 8.0, 4), row(2 * LARGE, 9.0, 8)]), [true, true, false, false]);
        let mut bad = row(LARGE, 8.0, 4);
        (bad.intact, bad.payload_share) = (false, 0.98);
        assert_eq!(held(&[bad]), [false, false, true, true]);
    }
}
