//! Pictures as JPEGs, at once: they are small, and whoever looks at a page does not wait behind an hour of
//! video. So they pass by the queue, and there is no job of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use lookback_replay::{Clip, Rendition};
use serde_json::json;

use super::input::Input;
use super::output::Output;
use super::{Failure, Footage, Jobs, NotBegun, Refused};

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
        self.has(&recipe.encoders()).await?;
        let arguments = recipe.arguments(footage, 1.0).ok_or(Failure::Fault)?;
        Ok(self.made(&arguments, &footage.uncut(), BYTES_MAX).await?)
    }

    /// The pictures of clips that are one keyframe each, of one channel and at least one, at most so many points
    /// wide: of the first, and of the others in their order as far as they go with it.
    pub(crate) async fn keyframes(
        &self,
        clips: &[Arc<Clip>],
        width: u32,
    ) -> Result<Vec<Bytes>, NotBegun> {
        if !clips[0]
            .program()
            .codecs()
            .iter()
            .any(|codec| codec.is_video())
        {
            let detail = "there are no pictures in this";
            return Err(Refused::Parameter(detail.to_owned()).into());
        }
        self.has(&["mjpeg".to_owned()]).await?;
        if clips.len() > 1
            && let Ok(all) = self.decoded(clips, width).await
            && all.len() == clips.len()
        {
            return Ok(all);
        }
        // One of another format, or one that does not decode, is not to spoil the others.
        let one = self.decoded(&clips[..1], width).await?;
        match one.is_empty() {
            true => Err(Failure::Nothing { said: Vec::new() }.into()),
            false => Ok(one),
        }
    }

    async fn decoded(&self, clips: &[Arc<Clip>], width: u32) -> Result<Vec<Bytes>, Failure> {
        let whole = |clip: &Arc<Clip>| (Arc::clone(clip), clip.timeline());
        let pieces: Vec<_> = clips.iter().map(whole).collect();
        let joined = Rendition::new(&pieces).map_err(|_| Failure::Fault)?;
        let scale = format!("scale='min({width},iw)':-2");
        let arguments = ["-an", "-vf", &scale, "-fps_mode", "passthrough"];
        let format = [
            "-c:v", "mjpeg", "-q:v", "4", "-pix_fmt", "yuvj420p", "-f", "mpjpeg",
        ];
        let arguments = [&arguments[..], &format].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let input = Input::stream(Arc::clone(&joined.clip), None);
        let most = BYTES_MAX * clips.len() as u64;
        Ok(parts(&self.made(&arguments, &input, most).await?))
    }

    pub(super) async fn has(&self, encoders: &[String]) -> Result<(), Failure> {
        let missing = self.0.ffmpeg.missing(encoders).await?;
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Failure::NoEncoder(missing)),
        }
    }

    /// What ffmpeg makes of it, in one piece.
    pub(super) async fn made(
        &self,
        arguments: &[String],
        input: &Input,
        most: u64,
    ) -> Result<Bytes, Failure> {
        let mut output = Output::Memory(self.0.recorder.draft());
        let ffmpeg = &self.0.ffmpeg;
        ffmpeg
            .run(arguments, input, &mut output, most, &|_| {})
            .await?;
        let Output::Memory(draft) = output else {
            unreachable!("it was made to be in memory")
        };
        let made = draft.finish();
        let mut whole = BytesMut::with_capacity(made.len() as usize);
        while (whole.len() as u64) < made.len() {
            whole.extend_from_slice(&made.read(whole.len() as u64, most as usize)?);
        }
        Ok(whole.freeze())
    }
}

/// The bodies in what the multipart muxer writes: each has a head in lines, with its length.
fn parts(mut multipart: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    while let Some(end) = find(multipart, b"\r\n\r\n") {
        let (head, rest) = multipart.split_at(end + 4);
        let Some(part) = length(head).and_then(|length| rest.get(..length)) else {
            break;
        };
        parts.push(Bytes::copy_from_slice(part));
        multipart = &rest[part.len()..];
    }
    parts
}

fn length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse().ok())?
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_come_out_as_they_went_in(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..6)) {
            let head = |len: usize| format!("--x\r\nContent-type: image/jpeg\r\nContent-length: {len}\r\n\r\n");
            let mut multipart = Vec::new();
            for body in &bodies {
                multipart.extend([head(body.len()).as_bytes(), body, b"\r\n"].concat());
            }
            multipart.extend(b"--x--");
            let parts: Vec<_> = parts(&multipart).iter().map(|part| part.to_vec()).collect();
            prop_assert_eq!(parts, bodies);
        }

        #[test]
        fn any_bytes_give_parts_that_lie_in_them(bytes in prop::collection::vec(any::<u8>(), 0..200), head in "(Content-length: [0-9]{0,30}\r\n\r\n)?") {
            let bytes = [head.as_bytes(), &bytes].concat();
            let total: usize = parts(&bytes).iter().map(Bytes::len).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
