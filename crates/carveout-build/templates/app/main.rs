//! The client app: sends each argument to the trusted app, and prints the answer.

use std::process::ExitCode;
use tipc::{Channel, Error, MAX_MESSAGE, Transport};

/// The port that the trusted app declares in its Cargo.toml.
const PORT: &str = "@PORT@";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let mut channel = Channel::connect(&tipc::device(), PORT)?;
    let mut answer = [0; MAX_MESSAGE];
    for argument in std::env::args().skip(1) {
        channel.send(argument.as_bytes())?;
        let length = channel.receive(&mut answer)?;
        println!("{}", String::from_utf8_lossy(answer.get(..length).unwrap_or_default()));
    }
    Ok(())
}
