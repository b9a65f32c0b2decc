//! `lookback obs status`: what OBS is, whether it is set up, and what is wrong. It changes nothing.

use std::fmt::Write as _;

use serde::Serialize;

use super::connection::Refusal;
use super::journal::{Journal, Output};
use super::outputs;
use super::profile;
use super::scene;
use super::studio::{self, Studio, Version, VideoSettings};
use crate::client::Failure;

/// How OBS is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    obs_version: String,
    obs_websocket_version: String,
    platform: String,
    profile: String,
    scene_collection: String,
    scene: Option<String>,
    width: f64,
    height: f64,
    fps: f64,
    /// What runs now.
    running: Vec<Output>,
    /// Whether the profile of the set-up is in use: only then it can be read.
    set_up: bool,
    /// The lookback that it is set up for.
    server: Option<String>,
    encoder: Option<String>,
    /// What to do something about.
    problems: Vec<String>,
}

impl Report {
    /// Asks OBS.
    pub(crate) async fn of(studio: &impl Studio, name: &str) -> Result<Self, Failure> {
        let asked = Self::ask(studio, name).await;
        asked.map_err(super::setup::at("OBS does not tell how it is"))
    }

    async fn ask(studio: &impl Studio, name: &str) -> Result<Self, Refusal> {
        let Version {
            obs_version,
            obs_web_socket_version,
            platform,
            ..
        } = studio::version(studio).await?;
        let profiles = studio::profiles(studio).await?;
        let video: VideoSettings = studio::video_settings(studio).await?;
        let running = outputs::running(studio).await?;
        let is_current = profiles.current == name;
        let journal = match is_current {
            true => Journal::read(studio).await?,
            false => None,
        };
        let mut problems = Vec::new();
        match &journal {
            Some(journal) => problems.extend(wrong(studio, journal, &running).await?),
            None if is_current => {
                problems.push(format!("the profile {name} is not one that lookback made"));
            }
            None if profiles.names.iter().any(|profile| profile == name) => problems.push(format!(
                "OBS is in the profile {}, and records into lookback in {name} alone: switch to it, or \
                 run lookback obs setup",
                profiles.current
            )),
            None => problems.push("OBS is not set up for lookback: lookback obs setup".to_owned()),
        }
        let done = journal.as_ref().and_then(|journal| journal.done.as_ref());
        Ok(Self {
            obs_version,
            obs_websocket_version: obs_web_socket_version,
            platform,
            profile: profiles.current,
            scene_collection: studio::collections(studio).await?.current,
            scene: studio::scenes(studio).await?.program,
            width: video.output_width,
            height: video.output_height,
            fps: super::encoder::fps(&video),
            running,
            set_up: done.is_some(),
            encoder: done.map(|done| done.encoder.clone()),
            server: journal.map(|journal| journal.server),
            problems,
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "OBS {} with obs-websocket {} on {}\n\
             profile {}, scene collection {}, scene {}\n\
             {}x{}, {:.2} fps\n",
            self.obs_version,
            self.obs_websocket_version,
            self.platform,
            self.profile,
            self.scene_collection,
            self.scene.as_deref().unwrap_or("none"),
            self.width,
            self.height,
            self.fps,
        );
        let running = match self.running.is_empty() {
            true => "nothing".to_owned(),
            false => outputs::listed(&self.running),
        };
        let _ = writeln!(text, "running: {running}");
        if let (Some(server), Some(encoder)) = (&self.server, &self.encoder) {
            let _ = writeln!(text, "set up for the lookback at {server}, with {encoder}");
        }
        for problem in &self.problems {
            let _ = writeln!(text, "  {problem}");
        }
        text
    }
}

/// What is not as the set-up left it.
async fn wrong(
    studio: &impl Studio,
    journal: &Journal,
    running: &[Output],
) -> Result<Vec<String>, Refusal> {
    let Some(done) = &journal.done else {
        return Ok(vec![
            "the set-up was cut short: run lookback obs setup again, or lookback obs undo"
                .to_owned(),
        ]);
    };
    let mut problems = Vec::new();
    if !running.contains(&Output::Recording) {
        problems.push("OBS does not record: press Start Recording".to_owned());
    }
    if profile::current_fingerprint(studio).await? != done.profile {
        problems.push(
            "the settings were changed since the set-up: lookback obs setup sets them again"
                .to_owned(),
        );
    }
    let collection = studio::collections(studio).await?.current;
    if collection != journal.collection {
        problems.push(format!(
            "the scene {} is in the scene collection {}, and OBS shows {collection}",
            journal.scene, journal.collection
        ));
    } else if scene::current_fingerprint(studio, &journal.scene)
        .await?
        .is_none()
    {
        problems.push(format!(
            "the scene {} or its source is gone: lookback obs setup makes it again",
            journal.scene
        ));
    }
    Ok(problems)
}
