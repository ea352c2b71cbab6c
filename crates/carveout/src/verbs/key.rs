//! `key`: keys that sign releases.

use crate::cli::{KeyAction, KeyArgs};
use crate::results::Key;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::text::Text;
use carveout_host::ui::Ui;
use carveout_keys as signing;
use carveout_keys::Signer;
use serde_json::json;
use std::path::PathBuf;

/// Makes a key, signs with one, or prints its public key.
pub fn run(args: &KeyArgs, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let logs = dirs.logs()?;
    let (public, line) = match &args.action {
        KeyAction::New { file, no_password } => {
            let public = signing::generate(file, !no_password)?;
            ui.note(&format!(
                "{} is secret: keep it, and a copy elsewhere, where nobody else can read it; who has lost it cannot \
                 release what devices accept",
                file.display()
            ));
            (public, Text::from(signing::public_path(file).display().to_string()))
        }
        KeyAction::Sign { file, sign, comment } => {
            signing::ensure_comment(comment)?;
            let signer = Signer::open(sign.as_deref(), false, &logs, ui)?;
            let signature = signer.sign(&files::read(file)?, comment)?;
            let mut to = file.as_os_str().to_owned();
            to.push(".minisig");
            let to = PathBuf::from(to);
            files::write(&to, signature, files::OUTPUT)?;
            (signer.public().clone(), Text::from(to.display().to_string()))
        }
        KeyAction::Public { key } => {
            let public = Signer::open(key.as_deref(), false, &logs, ui)?.public().clone();
            let line = Text::ours(&public.to_text());
            (public, line)
        }
    };
    let json = json!(Key { key_id: public.id().to_string(), public: public.to_text() });
    Ok(Outcome { line: Some(line), json, ..Outcome::default() })
}
