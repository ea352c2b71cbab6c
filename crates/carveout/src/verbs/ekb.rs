//! `ekb`: encrypted key blobs.

use crate::cli::{EkbAction, EkbArgs};
use crate::results::{Ekb, EkbChecked, EkbShown, LuksPassphrase};
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::text::Text;
use carveout_host::ui::Ui;
use carveout_keys::ekb;
use carveout_keys::errors::EkbError;
use serde_json::json;
use tegra_flash::ekb::luks::{Of, ecid_of_agent, passphrase};

/// Makes an EKB, tells of one, opens one, or computes what luks-srv answers.
pub fn run(args: &EkbArgs, ui: &Ui) -> Result<Outcome> {
    let (line, json) = match &args.action {
        EkbAction::New { root, keys, iv, output } => {
            ekb::ensure_replaceable(output)?;
            let made = ekb::make(&root.ekb(keys, iv.as_ref()), ui)?;
            ekb::write(output, &made)?;
            let json = json!(Ekb { ekb: output.clone(), size: made.len(), keys: keys.len() });
            (Text::from(output.display().to_string()), json)
        }
        EkbAction::Show { ekb: path } => {
            let bytes = ekb::read("EKS.IMG", path)?;
            let found = ekb::parse(path, &bytes)?;
            let shown =
                EkbShown { size: found.size, iv: hex::encode(found.iv()), sample_keys: found.sample_keys() };
            let verdict = match shown.sample_keys {
                Some(keys) => format!("NVIDIA's default key opens it: its {keys} keys are no secret"),
                None => "NVIDIA's default key does not open it; `check` opens it with another".into(),
            };
            let text = format!("{} bytes, IV {}; {verdict}", shown.size, shown.iv);
            (Text::from(text), json!(shown))
        }
        EkbAction::Check { ekb: path, root, keys } => {
            let found = ekb::check(path, &root.request(), keys, ui)?;
            let text = match keys.len() {
                0 => format!("it opens, and has {found} keys"),
                _ => format!("it opens, and its {found} keys are the given ones"),
            };
            (Text::from(text), json!(EkbChecked { keys: found, compared: !keys.is_empty() }))
        }
        EkbAction::Luks { key, context, ecid } => {
            let key = ekb::key("--key", key, ui)?;
            let of = ecid.map_or(Of::Generic, Of::Device);
            let found = passphrase(&key, of, context);
            let found = found.map_err(|source| EkbError::WrongContext { source: source.into() })?;
            if let Some(ecid) = ecid.filter(|ecid| ecid_of_agent(*ecid) != *ecid) {
                ui.note(&format!(
                    "hwkey-agent knows this chip as 0x{:x}: of the lowest six bits it takes only whether they are zero; gen_luks_passphrase.py \
                     takes all, and prints another passphrase than the device has",
                    ecid_of_agent(ecid)
                ));
            }
            let text = hex::encode(found.bytes());
            (Text::from(text.clone()), json!(LuksPassphrase { passphrase: text }))
        }
    };
    Ok(Outcome { line: Some(line), json, ..Outcome::default() })
}
