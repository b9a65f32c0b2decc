//! Starts a recording in OBS and waits for the proof: pictures that arrive at lookback.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Refusal;
use super::server::{self, Server};
use super::studio::{self, Studio};
use crate::client::Failure;

/// How long OBS may take to begin, and then to send pictures that can be read.
const START_TIME: Duration = Duration::from_secs(8);
const PICTURES_TIME: Duration = Duration::from_secs(20);

/// How long pictures must have come for: an encoder that gives up does so at once.
const PROOF_TIME: Duration = Duration::from_secs(1);

/// How long outputs may take to end, and the server to notice.
const STOP_TIME: Duration = Duration::from_secs(20);
const FREE_TIME: Duration = Duration::from_secs(3);

const INTERVAL: Duration = Duration::from_millis(100);

/// What has arrived.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Proof {
    pub(crate) encoder: String,
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fps: Option<f64>,
    pub(crate) audio_tracks: usize,
    pub(crate) window_s: f64,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            encoder,
            codec,
            width,
            height,
            ..
        } = self;
        write!(f, "{codec}, {width}x{height}")?;
        if let Some(fps) = self.fps {
            write!(f, ", {} fps", (fps * 100.0).round() / 100.0)?;
        }
        write!(f, ", {} tracks of sound, by {encoder}", self.audio_tracks)?;
        write!(f, "; the window holds {:.1} s and grows", self.window_s)
    }
}

/// Why nothing is proven.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// The recording did not begin, or ended by itself, or nothing readable came: another encoder or
    /// another way may do better.
    Failed(&'static str),
    /// Something else is wrong, and would be again.
    Stuck(Failure),
}

impl From<Failure> for Unproven {
    fn from(failure: Failure) -> Self {
        Self::Stuck(failure)
    }
}

impl From<Refusal> for Unproven {
    fn from(refusal: Refusal) -> Self {
        Self::Stuck(Failure::failed(format!(
            "the recording cannot be started: {refusal}"
        )))
    }
}

/// What runs already, if pictures come from it.
pub(crate) async fn proof(server: &impl Server, encoder: &str) -> Result<Option<Proof>, Failure> {
    let channel = server::channel(server).await?;
    let (Some(video), Some(window)) = (&channel.video, &channel.window) else {
        return Ok(None);
    };
    Ok((channel.state == "recording").then(|| Proof {
        encoder: encoder.to_owned(),
        codec: video.codec.clone(),
        width: video.width,
        height: video.height,
        fps: video.fps,
        audio_tracks: channel.audio.len(),
        window_s: window.duration_s,
    }))
}

/// Starts the recording, and waits until pictures arrive that were not there before, and go on.
pub(crate) async fn start(
    studio: &impl Studio,
    server: &impl Server,
    encoder: &str,
) -> Result<Proof, Unproven> {
    let before = newest(server).await?;
    studio::start_record(studio).await?;
    let started = Instant::now();
    let (mut was_active, mut first_picture) = (false, None);
    loop {
        let is_active = studio::record_status(studio).await?.active;
        match (was_active, is_active) {
            (true, false) => return Err(Unproven::Failed("OBS ended the recording by itself")),
            (false, false) if started.elapsed() > START_TIME => {
                return Err(Unproven::Failed("OBS did not begin to record"));
            }
            _ => was_active = is_active,
        }
        if is_active && first_picture.is_none() && newest(server).await? != before {
            first_picture = Some(Instant::now());
        }
        if first_picture.is_some_and(|seen| seen.elapsed() > PROOF_TIME)
            && let Some(proof) = proof(server, encoder).await?
        {
            return Ok(proof);
        }
        if is_active && started.elapsed() > PICTURES_TIME {
            stop(studio).await?;
            return Err(Unproven::Failed("OBS recorded, and no picture arrived"));
        }
        sleep(INTERVAL).await;
    }
}

/// When the newest picture came.
async fn newest(server: &impl Server) -> Result<Option<String>, Failure> {
    let channel = server::channel(server).await?;
    Ok(channel.window.map(|window| window.end))
}

/// Ends the recording, and waits until it has ended.
pub(crate) async fn stop(studio: &impl Studio) -> Result<(), Refusal> {
    match studio::stop_record(studio).await {
        // It may have ended by itself just now.
        Ok(()) | Err(Refusal::Refused { .. }) => {}
        Err(refusal) => return Err(refusal),
    }
    until_over("StopRecord", async || {
        Ok(!studio::record_status(studio).await?.active)
    })
    .await
}

/// Waits for an output to end.
pub(crate) async fn until_over(
    request: &str,
    is_over: impl AsyncFn() -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let deadline = Instant::now() + STOP_TIME;
    while !is_over().await? {
        if Instant::now() > deadline {
            return Err(Refusal::TimedOut {
                request: request.to_owned(),
            });
        }
        sleep(INTERVAL).await;
    }
    Ok(())
}

/// Waits until nobody is connected to the channel, so that OBS can.
pub(crate) async fn until_free(server: &impl Server) -> Result<(), Failure> {
    let deadline = Instant::now() + FREE_TIME;
    loop {
        let channel = server::channel(server).await?;
        match channel.state.as_str() {
            "waiting" => return Ok(()),
            "paused" => {
                return Err(Failure::mistake(format!(
                    "channel {} is paused: resume it on the control page first",
                    channel.name
                )));
            }
            _ if Instant::now() > deadline => {
                return Err(Failure::mistake(format!(
                    "something else records into channel {} already, over {}: stop it first",
                    channel.name,
                    channel.source.as_deref().unwrap_or("an unknown source")
                )));
            }
            _ => sleep(INTERVAL).await,
        }
    }
}
