//! One picture as a JPEG, at once: it is small, and whoever looks at a page does not wait behind an hour of
//! video. So it passes by the queue, and there is no job of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde_json::json;

use super::output::Output;
use super::{Failure, Footage, Jobs, NotBegun};

/// The preset that says how.
const PRESET: &str = "still";
/// More than a picture takes that is as wide as is asked for here.
const BYTES_MAX: u64 = 1 << 20;

impl Jobs {
    /// The picture that is shown so long after the start, at most so many points wide.
    pub(crate) async fn still(
        &self,
        footage: &Footage,
        at: Duration,
        width: u32,
    ) -> Result<Bytes, NotBegun> {
        let parameters = [
            ("at", json!(at.as_secs_f64())),
            ("width", json!(width)),
            ("format", json!("jpg")),
        ];
        let parameters: BTreeMap<_, _> = parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let recipe = self.recipe(PRESET, &parameters)?;
        recipe.check(footage)?;
        let missing = self.0.ffmpeg.missing(&recipe.encoders()).await?;
        if !missing.is_empty() {
            return Err(Failure::NoEncoder(missing).into());
        }
        let arguments = recipe.arguments(footage, 1.0).ok_or(Failure::Fault)?;
        let mut output = Output::Memory(self.0.recorder.draft());
        let ffmpeg = &self.0.ffmpeg;
        ffmpeg
            .run(
                &arguments,
                &footage.uncut(),
                &mut output,
                BYTES_MAX,
                &|_| {},
            )
            .await?;
        let Output::Memory(draft) = output else {
            unreachable!("it was made to be in memory")
        };
        let made = draft.finish();
        let mut picture = BytesMut::with_capacity(made.len() as usize);
        while (picture.len() as u64) < made.len() {
            let piece = made.read(picture.len() as u64, BYTES_MAX as usize);
            picture.extend_from_slice(&piece.map_err(Failure::from)?);
        }
        Ok(picture.freeze())
    }
}
