//! `lookback obs undo`: OBS as it was before `lookback obs setup`.
//!
//! What the set-up made is taken away, unless the user has changed it since: then it is theirs, stays, and
//! is named. What the user has chosen since, another profile or another scene, stays chosen.

use super::journal::{Journal, Output};
use super::outputs;
use super::profile;
use super::record;
use super::scene;
use super::setup::{Operator, at};
use super::studio::{self, Profiles, Studio};
use crate::client::Failure;

/// What has become of it, one line for each thing that is not as before; none where all is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Undone {
    /// Whether there was anything to undo.
    pub(crate) was_set_up: bool,
    /// What was left alone, and why.
    pub(crate) left: Vec<String>,
}

/// Takes back what a set-up with this profile has done.
pub(crate) async fn undo(
    studio: &impl Studio,
    name: &str,
    operator: &impl Operator,
) -> Result<Undone, Failure> {
    let unanswered = at("OBS does not tell how it is");
    let profiles = studio::profiles(studio).await.map_err(&unanswered)?;
    if !profiles.names.iter().any(|profile| profile == name) {
        return Ok(Undone::default());
    }
    let running = outputs::running(studio).await.map_err(&unanswered)?;
    let is_current = profiles.current == name;
    if is_current {
        // Before anything stops: a profile that is not ours is none of our business.
        own(Journal::read(studio).await.map_err(&unanswered)?, name)?;
    }
    // Ours is the recording of our profile, and no other output.
    let theirs: Vec<Output> = running
        .iter()
        .copied()
        .filter(|output| !(is_current && *output == Output::Recording))
        .collect();
    if !theirs.is_empty() && !operator.may_stop(&theirs) {
        return Err(Failure::mistake(format!(
            "OBS is busy, and going back would end {}: end it in OBS, or add --yes",
            outputs::listed(&theirs)
        )));
    }
    for output in &running {
        let failed = format!("{} cannot be ended", output.name());
        match output {
            Output::Recording => record::stop(studio).await,
            output => output.stop(studio).await,
        }
        .map_err(at(&failed))?;
    }
    let unswitched = at("OBS does not change its profile");
    if !is_current {
        studio::switch_profile(studio, name)
            .await
            .map_err(&unswitched)?;
    }
    let journal = match own(Journal::read(studio).await.map_err(&unanswered)?, name) {
        Ok(journal) => journal,
        Err(failure) => {
            studio::switch_profile(studio, &profiles.current)
                .await
                .map_err(&unswitched)?;
            return Err(failure);
        }
    };
    journal.complete_sound(studio).await.map_err(&unswitched)?;
    let mut left = remove_scene(studio, &journal, operator).await?;
    left.extend(remove_profile(studio, name, &profiles, &journal, operator).await?);
    for output in to_start_again(&journal, &running, is_current) {
        let failed = format!("{} cannot be started again", output.name());
        output.start(studio).await.map_err(at(&failed))?;
        operator.tell(&format!("{} started again", output.name()));
    }
    Ok(Undone {
        was_set_up: true,
        left,
    })
}

fn own(journal: Option<Journal>, name: &str) -> Result<Journal, Failure> {
    journal.ok_or_else(|| {
        Failure::mistake(format!(
            "the profile {name} is not one that lookback made: which one is it? --profile NAME"
        ))
    })
}

/// What ran before the set-up and was ended for it, and what was ended for this.
fn to_start_again(journal: &Journal, running: &[Output], is_current: bool) -> Vec<Output> {
    let was = |output| journal.interrupted.contains(&output);
    let runs = |output| running.contains(&output);
    [
        (
            Output::Recording,
            if is_current {
                was(Output::Recording)
            } else {
                runs(Output::Recording)
            },
        ),
        (
            Output::ReplayBuffer,
            if is_current {
                was(Output::ReplayBuffer)
            } else {
                runs(Output::ReplayBuffer)
            },
        ),
        // The set-up starts it again by itself, unless it is cut short.
        (
            Output::VirtualCamera,
            runs(Output::VirtualCamera) || was(Output::VirtualCamera),
        ),
    ]
    .into_iter()
    .filter_map(|(output, wanted)| wanted.then_some(output))
    .collect()
}

/// Takes the scene out of the collection that it was made in.
async fn remove_scene(
    studio: &impl Studio,
    journal: &Journal,
    operator: &impl Operator,
) -> Result<Vec<String>, Failure> {
    let failed = at("the scene cannot be removed");
    let name = &journal.scene;
    let collections = studio::collections(studio).await.map_err(&failed)?;
    let is_elsewhere = collections.current != journal.collection;
    // The current one may be missing in the list: older OBSes look for its file, which is not there for a
    // moment while they save it.
    if is_elsewhere && !collections.names.contains(&journal.collection) {
        return Ok(Vec::new());
    }
    if is_elsewhere {
        studio::switch_collection(studio, &journal.collection)
            .await
            .map_err(&failed)?;
    }
    let now = scene::current_fingerprint(studio, name)
        .await
        .map_err(&failed)?;
    let is_changed = match (&journal.done, &now) {
        (Some(done), Some(now)) => done.scene != *now,
        // The source is gone, and the scene may be: by the user's hand.
        (Some(_), None) => studio::scenes(studio).await.map_err(&failed)?.has(name),
        (None, _) => false,
    };
    let left = match is_changed {
        true => vec![format!("the scene {name}, which was changed since")],
        false => {
            leave_scene(studio, journal).await.map_err(&failed)?;
            let was_there = scene::remove(studio, name).await.map_err(&failed)?;
            if was_there {
                operator.tell(&format!("scene {name} removed"));
            }
            Vec::new()
        }
    };
    if is_elsewhere {
        studio::switch_collection(studio, &collections.current)
            .await
            .map_err(&failed)?;
    }
    Ok(left)
}

/// Shows the scene of before, where ours is on the program.
async fn leave_scene(
    studio: &impl Studio,
    journal: &Journal,
) -> Result<(), super::connection::Refusal> {
    let scenes = studio::scenes(studio).await?;
    if scenes.program.as_ref() != Some(&journal.scene) {
        return Ok(());
    }
    let before = journal.program.as_deref().filter(|name| scenes.has(name));
    let others = scenes.scenes.iter().map(|scene| scene.name.as_str());
    match before.or_else(|| others.into_iter().find(|name| *name != journal.scene)) {
        Some(name) => studio::show_scene(studio, name).await,
        None => Ok(()),
    }
}

/// Goes back to the profile of before, and removes ours. `before` is how it was when this began.
async fn remove_profile(
    studio: &impl Studio,
    name: &str,
    before: &Profiles,
    journal: &Journal,
    operator: &impl Operator,
) -> Result<Vec<String>, Failure> {
    let failed = at("the profile cannot be removed");
    let now = profile::current_fingerprint(studio)
        .await
        .map_err(&failed)?;
    let is_changed = journal
        .done
        .as_ref()
        .is_some_and(|done| done.profile != now);
    let chosen = Some(&before.current).filter(|current| *current != name);
    let mut targets = chosen
        .into_iter()
        .chain([&journal.profile])
        .chain(&before.names);
    let target = targets.find(|target| *target != name && before.names.contains(target));
    let Some(target) = target else {
        return Ok(vec![format!("the profile {name}, since OBS has no other")]);
    };
    studio::switch_profile(studio, target)
        .await
        .map_err(&failed)?;
    operator.tell(&format!("profile {target}"));
    if is_changed {
        return Ok(vec![format!("the profile {name}, which was changed since")]);
    }
    studio::remove_profile(studio, name)
        .await
        .map_err(&failed)?;
    operator.tell(&format!("profile {name} removed"));
    Ok(Vec::new())
}
