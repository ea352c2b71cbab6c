//! Client app of vault-srv: seals what Linux keeps, opens it again, and has secrets made.

use clap::{Parser, Subcommand};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tipc::{Channel, MAX_MESSAGE, Transport};
use vault_service::{PORT, SECRET, Status, What};

/// Have vault-srv seal, open and make secrets, under a key of the device.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done, 1 refused, 2 wrong usage or file, 3 no vault to talk to."
)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Seal a content under a name.
    Seal(Files),
    /// Open what was sealed under a name.
    Open(Files),
    /// Have a secret made, and seal it under a name: nobody has seen it.
    New {
        /// Its name, 255 bytes at most.
        name: String,
        /// How many bytes it has.
        #[arg(long, value_name = "BYTES", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=SECRET as i64))]
        length: u8,
        /// Where to write what is sealed, instead of standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// What the vault keeps itself, through the daemon carveout-stored.
    #[command(subcommand)]
    Store(Store),
}

#[derive(Debug, Subcommand)]
enum Store {
    /// Make an empty store, once for each device.
    Init,
    /// Keep a content under a name, in the place of what was kept under it.
    Put {
        /// The name, 64 bytes at most.
        name: String,
        /// What to read, instead of standard input.
        #[arg(long, short, value_name = "FILE")]
        input: Option<PathBuf>,
    },
    /// Give what is kept under a name.
    Get {
        /// The name.
        name: String,
        /// Where to write, instead of standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Keep nothing under a name any more.
    Remove {
        /// The name.
        name: String,
    },
    /// Tell names and sizes.
    List,
}

#[derive(Debug, clap::Args)]
struct Files {
    /// The name, 255 bytes at most: what was sealed is opened under the same one.
    name: String,
    /// What to read, instead of standard input.
    #[arg(long, short, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Where to write, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Refused(String),
    #[error("{0}: {1}")]
    File(String, io::Error),
    #[error("the name has {0} bytes: 255 are allowed")]
    Name(usize),
    #[error("there are more than {MAX_MESSAGE} bytes: the vault takes one message")]
    TooMuch,
    #[error(transparent)]
    Tipc(#[from] tipc::Error),
    #[error("the system's random numbers: {0}")]
    Entropy(io::Error),
}

fn main() -> ExitCode {
    let Err(failure) = run(&Args::parse().verb) else { return ExitCode::SUCCESS };
    let _ = writeln!(io::stderr(), "vault-app: {failure}");
    ExitCode::from(match failure {
        Failure::Refused(_) => 1,
        Failure::File(..) | Failure::Name(_) | Failure::TooMuch => 2,
        Failure::Tipc(_) | Failure::Entropy(_) => 3,
    })
}

fn run(verb: &Verb) -> Result<(), Failure> {
    let connect = || Channel::connect(&tipc::device(), PORT);
    match verb {
        Verb::Seal(files) => ask_of_files(&mut connect()?, What::Seal, files),
        Verb::Open(files) => ask_of_files(&mut connect()?, What::Open, files),
        Verb::Store(verb) => store(&mut connect()?, verb),
        Verb::New { name, length, output } => {
            let mut vault = connect()?;
            // Mixed with what the vault has: each client that asks for a secret makes its numbers better.
            ask(&mut vault, What::Entropy, "", &tipc::entropy().map_err(Failure::Entropy)?)?;
            write(output.as_deref(), &ask(&mut vault, What::New, name, &[*length])?)
        }
    }
}

fn store(vault: &mut impl Transport, verb: &Store) -> Result<(), Failure> {
    match verb {
        Store::Init => ask(vault, What::Init, "", &[]).map(drop),
        Store::Put { name, input } => {
            let content = read(input.as_deref())?;
            ask(vault, What::Put, name, &content).map(drop)
        }
        Store::Get { name, output } => write(output.as_deref(), &ask(vault, What::Get, name, &[])?),
        Store::Remove { name } => ask(vault, What::Remove, name, &[]).map(drop),
        Store::List => {
            let answer = ask(vault, What::List, "", &[])?;
            let mut rest = answer.as_slice();
            while let Some((size, more)) = rest.split_first_chunk() {
                let named =
                    more.split_first().and_then(|(length, more)| more.split_at_checked((*length).into()));
                let Some((name, more)) = named else { break };
                let line = format!(
                    "{:>8} {}\n",
                    u32::from_le_bytes(*size),
                    String::from_utf8_lossy(name).escape_debug()
                );
                write(None, line.as_bytes())?;
                rest = more;
            }
            Ok(())
        }
    }
}

fn ask_of_files(vault: &mut impl Transport, what: What, files: &Files) -> Result<(), Failure> {
    let content = read(files.input.as_deref())?;
    write(files.output.as_deref(), &ask(vault, what, &files.name, &content)?)
}

fn ask(vault: &mut impl Transport, what: What, name: &str, content: &[u8]) -> Result<Vec<u8>, Failure> {
    let head = vault_service::head(what, name.as_bytes()).ok_or(Failure::Name(name.len()))?;
    vault.send(&[&head[..], name.as_bytes(), content].concat())?;
    let mut answer = [0; MAX_MESSAGE];
    let length = vault.receive(&mut answer)?;
    let refused = |why: &str| Failure::Refused(format!("vault-srv {why}"));
    let Some([status, rest @ ..]) = answer.get(..length) else { return Err(refused("answers nothing")) };
    match Status::of(*status) {
        Some(Status::Done) => Ok(rest.to_vec()),
        Some(Status::BadRequest) => Err(refused("takes it for no request")),
        Some(Status::NoKey) => Err(refused("has no key: hwkey-agent has ended, or is not in the image")),
        Some(Status::NotOpened) => {
            Err(refused("does not open it: another device, EKB or name has sealed it, or it was changed"))
        }
        Some(Status::TooLarge) => Err(refused("has no room for it")),
        Some(Status::NoEntropy) => {
            Err(refused("has no random numbers: it was started anew meanwhile; ask again"))
        }
        Some(Status::NoDaemon) => Err(refused("has no store: carveout-stored does not run, or has ended")),
        Some(Status::NoStore) => {
            Err(refused("has no store yet: `vault-app store init` makes one, if the device never had one"))
        }
        Some(Status::NotFound) => Err(refused("keeps nothing under this name")),
        Some(Status::NotTrusted) => {
            Err(refused("does not trust its store: it was changed, or is older than what was kept"))
        }
        Some(Status::NotKept) => {
            Err(refused("could not keep it: see what carveout-stored says; its disk may be full"))
        }
        Some(Status::StoreExists) => Err(refused("has a store already")),
        None => Err(refused(&format!("answers {status}, which is no status"))),
    }
}

fn read(input: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    // A byte more than a message tells that there is too much.
    let most = MAX_MESSAGE as u64 + 1;
    match input {
        Some(path) => fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut content)),
        None => io::stdin().take(most).read_to_end(&mut content),
    }
    .map_err(|error| failed(input, "standard input", error))?;
    if content.len() > MAX_MESSAGE { Err(Failure::TooMuch) } else { Ok(content) }
}

fn write(output: Option<&Path>, content: &[u8]) -> Result<(), Failure> {
    match output {
        Some(path) => fs::write(path, content),
        None => io::stdout().write_all(content).and_then(|()| io::stdout().flush()),
    }
    .map_err(|error| failed(output, "standard output", error))
}

fn failed(path: Option<&Path>, stream: &str, error: io::Error) -> Failure {
    Failure::File(path.map_or_else(|| stream.to_owned(), |path| path.display().to_string()), error)
}
