//! A command line that is none: what is wrong with it, in clap's words.

use crate::errors::CommandError;
use carveout_host::error::Exit;
use carveout_host::outcome::document;
use carveout_host::text::Shown;
use carveout_host::ui;
use carveout_keys::secret;
use clap::Command;
use clap::error::Error as Refused;
use std::process::ExitCode;

/// Tells it, or help and version that were asked for.
pub fn refused(error: &Refused, command: Command) -> ExitCode {
    if !error.use_stderr() {
        // All of it is ours.
        error.exit();
    }
    let text = told(error, command);
    let text = text.trim_end();
    if is_for_machines() {
        ui::print_json(&document(Err(&CommandError::WrongArguments { source: text.into() }.into())));
    } else {
        ui::refuse(text);
    }
    ExitCode::from(Exit::Usage as u8)
}

/// Refuses a command line with a secret key's text in it, wherever: it would be taken for a name, shown, and kept in logs and records.
/// What the client app of `emulate` gets is its own affair.
pub fn key_in_arguments() -> Option<ExitCode> {
    let given = std::env::args_os().take_while(|argument| argument != "--");
    let number = given.skip(1).position(|argument| secret::is_secret_key(&argument.to_string_lossy()))?;
    let error = secret::given_as_text(&format!("argument {}", number + 1));
    if is_for_machines() {
        ui::print_json(&document(Err(&error)));
    } else {
        ui::fail(&error);
    }
    Some(ExitCode::from(Exit::Usage as u8))
}

fn is_for_machines() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

/// What clap says of the same arguments without what must not be shown: it repeats them as they are, cut and put together in its own
/// way, and one may be the name of a file that a shell has found, or a key's text.
fn told(error: &Refused, command: Command) -> String {
    let given: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let shown: Vec<String> = given.iter().map(|argument| escaped(argument)).collect();
    if given == shown {
        return error.render().to_string();
    }
    match command.try_get_matches_from(&shown) {
        Err(error) if error.use_stderr() => error.render().to_string(),
        _ => format!("error: wrong arguments: {}", shown.get(1..).unwrap_or_default().join(" ")),
    }
}

/// An argument as it may be shown. Options stay options.
fn escaped(argument: &str) -> String {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let (name, value) =
        match argument.split_once('=').filter(|(name, _)| name.starts_with("--") && is_name(name)) {
            Some((name, value)) => (format!("{name}="), value),
            None => (String::new(), argument),
        };
    let shown = secret::shown(value);
    let dash = if value.starts_with('-') && !shown.starts_with('-') { "-" } else { "" };
    format!("{name}{dash}{}", Shown(shown))
}
