//! What OBS is sending out, which must rest while its profile is changed.

use serde_json::json;

use super::connection::Refusal;
use super::journal::Output;
use super::record;
use super::studio::{self, Studio};

/// What runs now.
pub(crate) async fn running(studio: &impl Studio) -> Result<Vec<Output>, Refusal> {
    let mut running = Vec::new();
    for output in [
        Output::Stream,
        Output::Recording,
        Output::ReplayBuffer,
        Output::VirtualCamera,
    ] {
        if output.is_on(studio).await? {
            running.push(output);
        }
    }
    Ok(running)
}

/// Their names, as a sentence lists them.
pub(crate) fn listed(outputs: &[Output]) -> String {
    let names: Vec<&str> = outputs.iter().map(|output| output.name()).collect();
    names.join(", ")
}

impl Output {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "the stream",
            Self::Recording => "the recording",
            Self::ReplayBuffer => "the replay buffer",
            Self::VirtualCamera => "the virtual camera",
        }
    }

    /// The part of its requests that is its own.
    fn word(self) -> &'static str {
        match self {
            Self::Stream => "Stream",
            Self::Recording => "Record",
            Self::ReplayBuffer => "ReplayBuffer",
            Self::VirtualCamera => "VirtualCam",
        }
    }

    async fn is_on(self, studio: &impl Studio) -> Result<bool, Refusal> {
        match self {
            Self::Stream => studio::is_streaming(studio).await,
            Self::Recording => Ok(studio::record_status(studio).await?.active),
            Self::ReplayBuffer => studio::is_buffering(studio).await,
            Self::VirtualCamera => studio::is_virtual_camera_on(studio).await,
        }
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn stop(self, studio: &impl Studio) -> Result<(), Refusal> {
        let request = format!("Stop{}", self.word());
        studio.ask(&request, json!({})).await?;
        record::until_over(&request, async || Ok(!self.is_on(studio).await?)).await
    }

    pub(crate) async fn start(self, studio: &impl Studio) -> Result<(), Refusal> {
        let request = format!("Start{}", self.word());
        studio.ask(&request, json!({})).await.map(drop)
    }
}
