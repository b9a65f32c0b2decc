//! What a set-up has to remember, so that it can be undone, completed and recognised.
//!
//! It lies in the profile that the set-up makes, as the parameter `Journal` of the category `lookback`:
//! OBS carries it along wherever the profile goes, no file has to be found on a machine that may be
//! another one, and it is gone with the profile. A profile without one is the user's own, whatever it is
//! called.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::connection::Refusal;
use super::studio::{self, Studio};

const CATEGORY: &str = "lookback";
const NAME: &str = "Journal";

/// Whose the set-up is, what was there before, and what was made.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Journal {
    /// The lookback that OBS is set up for, by its URL.
    pub(crate) server: String,
    /// The profile that was in use before.
    pub(crate) profile: String,
    /// The scene collection that the scene was made in.
    pub(crate) collection: String,
    /// The scene that was on the program then.
    #[serde(default)]
    pub(crate) program: Option<String>,
    /// What ran and was stopped for the set-up.
    #[serde(default)]
    pub(crate) interrupted: Vec<Output>,
    /// The parameters of the sound that both profiles must agree in before OBS switches between them
    /// without asking in a window whether it may start again.
    #[serde(default)]
    pub(crate) sound: Vec<(String, String)>,
    /// The names of the scene and the source that were made.
    pub(crate) scene: String,
    pub(crate) source: String,
    /// What the last word is on how OBS was left; without it the set-up was cut short.
    #[serde(default)]
    pub(crate) done: Option<Done>,
}

/// How a set-up ended, to see what was changed since.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Done {
    pub(crate) encoder: String,
    pub(crate) bitrate_kbit: u32,
    /// Fingerprints of the profile and of the scene.
    pub(crate) profile: String,
    pub(crate) scene: String,
}

/// What OBS can send out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Output {
    Stream,
    Recording,
    ReplayBuffer,
    VirtualCamera,
}

impl Journal {
    /// That of the current profile, if there is one.
    pub(crate) async fn read(studio: &impl Studio) -> Result<Option<Self>, Refusal> {
        let parameter = studio::parameter(studio, CATEGORY, NAME).await?;
        Ok(parameter
            .value
            .and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Where a set-up was cut short before the profile had its sound, it is given to it now: then OBS can
    /// leave it.
    pub(crate) async fn complete_sound(&self, studio: &impl Studio) -> Result<(), Refusal> {
        if self.done.is_none() {
            for (name, value) in &self.sound {
                studio::set_parameter(studio, "Audio", name, Some(value)).await?;
            }
        }
        Ok(())
    }

    /// Writes it into the current profile.
    pub(crate) async fn write(&self, studio: &impl Studio) -> Result<(), Refusal> {
        let text = serde_json::to_string(self).expect("it is all texts and numbers");
        studio::set_parameter(studio, CATEGORY, NAME, Some(&text)).await
    }
}

/// A short text that changes when one of these does.
pub(crate) fn fingerprint<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
