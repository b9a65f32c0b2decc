//! `lookback obs setup`: from an OBS as it is to one that records into lookback and shows replays.
//!
//! Nothing of the user's is changed: what is set is set in a profile and a scene of our own. The order is
//! what makes OBS take the values. It reads how it records when a profile is activated, and then only
//! while nothing runs; so the profile is filled, left and entered again. Before anything is made, a
//! [`Journal`] says what was there, so that a set-up that was cut short is completed by the next one or
//! undone.

mod entering;

use super::connection::Refusal;
use super::encoder::{self, Choice, Encoder};
use super::journal::{Done, Journal, Output};
use super::outputs;
use super::profile::{self, Recording};
use super::record::{self, Proof, Unproven};
use super::scene;
use super::server::{self, Server};
use super::studio::{self, Profiles, Studio, Version, VideoSettings};
use crate::client::Failure;
use crate::settings::Endpoint;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) encoder: Choice,
    /// What that comes to, in the order in which they are tried; one at least.
    pub(crate) encoders: Vec<Encoder>,
    /// Kilobits each second; without it what the size of the pictures asks for.
    pub(crate) bitrate_kbit: Option<u32>,
    pub(crate) profile: String,
    pub(crate) scene: String,
    /// Where lookback is, as OBS reaches it.
    pub(crate) server: Endpoint,
    /// What goes behind the URL of the feed: the token, where one is asked for.
    pub(crate) query: String,
    /// Whether OBS, lookback and this program are on one machine.
    pub(crate) is_local: bool,
}

/// Whom a set-up talks to besides OBS.
pub(crate) trait Operator: Sync {
    /// Tells that a step is done.
    fn tell(&self, step: &str);
    /// Whether what runs may be stopped.
    fn may_stop(&self, running: &[Output]) -> bool;
}

/// How it came out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Everything was as it should be.
    Unchanged(Proof),
    /// It is now.
    Done(Proof),
}

impl Wanted {
    /// The feed that the scene shows.
    fn feed(&self) -> String {
        format!("{}/decks/main.ts{}", self.server_url(), self.query)
    }

    /// How the server is called in the journal.
    pub(crate) fn server_url(&self) -> String {
        format!("http://{}", self.server)
    }
}

/// Says what it was that did not work.
pub(super) fn at(what: &str) -> impl Fn(Refusal) -> Failure {
    move |refusal| Failure::failed(format!("{what}: {refusal}"))
}

/// What was found, and what follows from it.
pub(crate) struct Plan<'a> {
    wanted: &'a Wanted,
    obs: Version,
    profiles: Profiles,
    ways: Vec<String>,
    running: Vec<Output>,
    /// That of a set-up before, where OBS is in its profile.
    journal: Option<Journal>,
}

impl<'a> Plan<'a> {
    /// Looks, and changes nothing.
    pub(crate) async fn make(
        studio: &impl Studio,
        server: &impl Server,
        wanted: &'a Wanted,
    ) -> Result<Self, Failure> {
        let unanswered = at("OBS does not tell how it is");
        let obs = studio::version(studio).await.map_err(&unanswered)?;
        let status = server.status().await?;
        server::main(&status)?;
        let ways = server::ways(&status, &wanted.server, wanted.is_local);
        if ways.is_empty() {
            return Err(no_way(wanted));
        }
        let profiles = studio::profiles(studio).await.map_err(&unanswered)?;
        let running = outputs::running(studio).await.map_err(&unanswered)?;
        let journal = match profiles.current == wanted.profile {
            true => Some(own(
                Journal::read(studio).await.map_err(&unanswered)?,
                wanted,
            )?),
            false => None,
        };
        let has_profile = profiles.names.contains(&wanted.profile);
        let plan = Self {
            wanted,
            obs,
            profiles,
            ways,
            running,
            journal,
        };
        // With a profile of that name the journal in it says whose the scene is.
        if !has_profile || plan.journal.is_some() {
            plan.check_scene(studio, plan.journal.as_ref()).await?;
        }
        Ok(plan)
    }

    /// The steps, for those who want to know before.
    pub(crate) fn steps(&self) -> Vec<String> {
        let Wanted {
            profile,
            scene,
            encoders,
            ..
        } = self.wanted;
        let encoders: Vec<&str> = encoders.iter().map(|it| it.name.as_str()).collect();
        let encoders = encoders.join(", or else ");
        let mut steps = vec![format!(
            "find OBS {} on {}",
            self.obs.obs_version, self.obs.platform
        )];
        if !self.running.is_empty() {
            steps.push(format!(
                "stop {} (needs --yes)",
                outputs::listed(&self.running)
            ));
        }
        let from = &self.profiles.current;
        steps.push(match self.profiles.names.contains(profile) {
            true => format!("take the profile {profile} again, if it is lookback's"),
            false => format!("copy the profile {from} to a new one, {profile}"),
        });
        steps.extend([
            format!(
                "have {profile} record MPEG-TS into {} with {encoders}",
                self.ways[0]
            ),
            "leave the profile and enter it again, so that OBS takes the values".to_owned(),
            format!(
                "make a scene {scene} with the media source {}, unless it is there",
                self.wanted.feed()
            ),
            "start recording, and wait until pictures arrive".to_owned(),
        ]);
        steps
    }

    /// A scene of that name must be ours, or not be.
    async fn check_scene(
        &self,
        studio: &impl Studio,
        journal: Option<&Journal>,
    ) -> Result<(), Failure> {
        let unanswered = at("OBS does not tell its scenes");
        let name = &self.wanted.scene;
        let source = scene::source_in(name);
        if let Some(journal) = journal {
            let collections = studio::collections(studio).await.map_err(&unanswered)?;
            return match collections.current == journal.collection {
                true => Ok(()),
                false => Err(Failure::mistake(format!(
                    "OBS is set up in the scene collection {}: switch to it, or go back with lookback obs \
                     undo first",
                    journal.collection
                ))),
            };
        }
        let scenes = studio::scenes(studio).await.map_err(&unanswered)?;
        let inputs = studio::inputs(studio).await.map_err(&unanswered)?;
        let taken =
            |name: &String| scenes.has(name) || inputs.iter().any(|input| input.name == *name);
        match [name, &source].into_iter().find(|name| taken(name)) {
            None => Ok(()),
            Some(taken) => Err(Failure::mistake(format!(
                "OBS has a scene or a source called {taken} already, and it is not lookback's: choose \
                 another name with --scene NAME"
            ))),
        }
    }

    /// Carries it out.
    pub(crate) async fn carry_out(
        self,
        studio: &impl Studio,
        server: &impl Server,
        operator: &impl Operator,
    ) -> Result<Outcome, Failure> {
        operator.tell(&format!(
            "OBS {} with obs-websocket {} on {}",
            self.obs.obs_version, self.obs.obs_web_socket_version, self.obs.platform
        ));
        if let Some(outcome) = self.intact(studio, server).await? {
            return Ok(outcome);
        }
        if !self.running.contains(&Output::Recording) {
            // Then whatever is connected is not OBS, and nothing need be ended to find that out.
            record::until_free(server).await?;
        }
        self.stop_outputs(studio, operator).await?;
        record::until_free(server).await?;
        let mut journal = self.enter_profile(studio).await?;
        operator.tell(&format!(
            "profile {}, a copy of {}",
            self.wanted.profile, journal.profile
        ));
        let video = self.rebuild_outputs(studio, &journal.profile).await?;
        scene::make(studio, &self.wanted.scene, &self.wanted.feed(), &video)
            .await
            .map_err(at("the scene cannot be made"))?;
        operator.tell(&format!("scene {}", self.wanted.scene));
        let (proof, bitrate_kbit) = self.record(studio, server, operator, &video).await?;
        let unsaved = at("what was done cannot be noted in OBS");
        let fingerprint = scene::current_fingerprint(studio, &self.wanted.scene);
        journal.done = Some(Done {
            encoder: proof.encoder.clone(),
            bitrate_kbit,
            profile: profile::current_fingerprint(studio)
                .await
                .map_err(&unsaved)?,
            scene: fingerprint.await.map_err(&unsaved)?.unwrap_or_default(),
        });
        if journal.interrupted.contains(&Output::VirtualCamera) {
            let restarted = Output::VirtualCamera.start(studio).await;
            restarted.map_err(at("the virtual camera cannot be started again"))?;
            journal
                .interrupted
                .retain(|output| *output != Output::VirtualCamera);
        }
        journal.write(studio).await.map_err(&unsaved)?;
        Ok(Outcome::Done(proof))
    }

    /// Where OBS is set up as it is wanted, there is nothing to do but to see to it that it records.
    async fn intact(
        &self,
        studio: &impl Studio,
        server: &impl Server,
    ) -> Result<Option<Outcome>, Failure> {
        let unanswered = at("OBS does not tell how it is set up");
        let Some(Journal {
            done: Some(done), ..
        }) = &self.journal
        else {
            return Ok(None);
        };
        let wants_other = match &self.wanted.encoder {
            Choice::Auto => false,
            Choice::Named(name) => *name != done.encoder,
        };
        let rate = self.wanted.bitrate_kbit;
        let profile = profile::current_fingerprint(studio)
            .await
            .map_err(&unanswered)?;
        let scene = scene::current_fingerprint(studio, &self.wanted.scene);
        let scene = scene.await.map_err(&unanswered)?;
        if wants_other
            || rate.is_some_and(|rate| rate != done.bitrate_kbit)
            || profile != done.profile
            || scene.as_ref() != Some(&done.scene)
        {
            return Ok(None);
        }
        if self.running.contains(&Output::Recording) {
            let proof = record::proof(server, &done.encoder).await?;
            return Ok(proof.map(Outcome::Unchanged));
        }
        record::until_free(server).await?;
        match record::start(studio, server, &done.encoder).await {
            Ok(proof) => Ok(Some(Outcome::Done(proof))),
            Err(Unproven::Failed(_)) => Ok(None),
            Err(Unproven::Stuck(failure)) => Err(failure),
        }
    }

    async fn stop_outputs(
        &self,
        studio: &impl Studio,
        operator: &impl Operator,
    ) -> Result<(), Failure> {
        if self.running.is_empty() {
            return Ok(());
        }
        let listed = outputs::listed(&self.running);
        if !operator.may_stop(&self.running) {
            return Err(Failure::mistake(format!(
                "OBS is busy, and setting it up would end {listed}: end it in OBS, or add --yes"
            )));
        }
        for output in &self.running {
            let failed = format!("{} cannot be ended", output.name());
            output.stop(studio).await.map_err(at(&failed))?;
        }
        operator.tell(&format!("{listed} ended"));
        Ok(())
    }

    fn recording<'b>(
        &self,
        encoder: &'b Encoder,
        url: &'b str,
        video: &VideoSettings,
    ) -> Recording<'b> {
        let rate = self.wanted.bitrate_kbit;
        Recording {
            url,
            encoder,
            bitrate_kbit: rate.unwrap_or_else(|| encoder::bitrate_kbit(video)),
            gop: encoder::gop(video),
        }
    }

    /// Leaves the profile and enters it again, so that OBS draws and records as it says. Only then the
    /// size and the rate of the pictures are those of the copy.
    async fn rebuild_outputs(
        &self,
        studio: &impl Studio,
        base: &str,
    ) -> Result<VideoSettings, Failure> {
        let unset = at("OBS cannot be told how to record");
        let video = studio::video_settings(studio).await.map_err(&unset)?;
        let recording = self.recording(&self.wanted.encoders[0], &self.ways[0], &video);
        recording.write(studio).await.map_err(&unset)?;
        studio::switch_profile(studio, base).await.map_err(&unset)?;
        studio::switch_profile(studio, &self.wanted.profile)
            .await
            .map_err(&unset)?;
        studio::video_settings(studio).await.map_err(&unset)
    }

    /// Tries one encoder after the other, and at last another way, until pictures arrive.
    async fn record(
        &self,
        studio: &impl Studio,
        server: &impl Server,
        operator: &impl Operator,
        video: &VideoSettings,
    ) -> Result<(Proof, u32), Failure> {
        let encoders = &self.wanted.encoders;
        let first_way = encoders.iter().map(|encoder| (encoder, &self.ways[0]));
        let other_ways = self.ways[1..]
            .iter()
            .filter_map(|way| Some((encoders.last()?, way)));
        let mut failures = Vec::new();
        for (encoder, url) in first_way.chain(other_ways) {
            let recording = self.recording(encoder, url, video);
            let written = recording.write(studio).await;
            written.map_err(at("OBS cannot be told how to record"))?;
            match record::start(studio, server, &encoder.name).await {
                Ok(proof) => return Ok((proof, recording.bitrate_kbit)),
                Err(Unproven::Stuck(failure)) => return Err(failure),
                Err(Unproven::Failed(why)) => {
                    let failure = format!("{} into {url}: {why}", encoder.name);
                    operator.tell(&failure);
                    failures.push(failure);
                }
            }
        }
        Err(Failure::failed(format!(
            "no encoder works ({}): Help > Log Files in OBS says why; choose one with --encoder NAME, or \
             go back with: lookback obs undo",
            failures.join("; ")
        )))
    }
}

/// The journal of a profile of ours, which must be for this lookback.
fn own(journal: Option<Journal>, wanted: &Wanted) -> Result<Journal, Failure> {
    let name = &wanted.profile;
    match journal {
        None => Err(Failure::mistake(format!(
            "OBS has a profile called {name} already, and it is not lookback's: choose another name with \
             --profile NAME, or take that one away with Profile > Remove in OBS if nobody needs it"
        ))),
        Some(journal) if journal.server != wanted.server_url() => Err(Failure::mistake(format!(
            "OBS is set up for the lookback at {}, and this one is at {}: undo that with lookback obs undo, \
             or choose other names with --profile and --scene",
            journal.server,
            wanted.server_url()
        ))),
        Some(journal) if journal.scene != wanted.scene => Err(Failure::mistake(format!(
            "OBS is set up with the scene {}: go back with lookback obs undo first, to have {}",
            journal.scene, wanted.scene
        ))),
        Some(journal) => Ok(journal),
    }
}

fn no_way(wanted: &Wanted) -> Failure {
    Failure::mistake(match wanted.is_local {
        true => "channel main takes its video from nothing that OBS could send to: start lookback without \
                 --input, or with --input tcp://127.0.0.1:1689"
            .to_owned(),
        false => "OBS and lookback are on different machines, and channel main takes no video from other \
                  machines: start lookback with --input tcp://0.0.0.0:1689"
            .to_owned(),
    })
}
