//! `POST obs/replay`: a moment is kept, and is on the program of OBS, all by one request.
//!
//! On air nothing is worth more than that a picture comes. So what OBS does not do, and a replay for which there is no
//! room, is no refusal: the moment is played, and the answer says under `problems` what was left out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use lookback_deck::{Item, Load, Source, Then};
use lookback_replay::{Save, Selection, Wall};
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::api::Body;
use super::decks::{self, replayed, speed};
use super::problem::Problem;
use super::replays::described;
use super::selection::{self, Wanted};
use super::status::{Deck, Problem as Reported};
use super::text;
use crate::archive::NotKept;
use crate::clock;
use crate::decks::{Command, Done, Handle};
use crate::obs::{Link, Shown};
use crate::settings::{ObsPart, Period};

/// What to show, and how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstantBody {
    #[serde(default = "moment")]
    last: Period,
    #[serde(default = "half")]
    speed: f64,
    channel: Option<String>,
    #[serde(default = "main")]
    deck: String,
    scene: Option<String>,
    name: Option<String>,
    #[serde(default = "yes")]
    save: bool,
    switch: Option<bool>,
    #[serde(rename = "return")]
    back: Option<bool>,
}

fn moment() -> Period {
    "8s".parse().expect("a duration")
}

fn half() -> f64 {
    0.5
}

fn main() -> String {
    "main".to_owned()
}

fn yes() -> bool {
    true
}

/// `POST obs/replay`
pub(super) async fn replay(
    State(app): State<Arc<App>>,
    Body(body): Body<InstantBody>,
) -> Result<Json<Value>, Problem> {
    let now = clock::now();
    let deck = decks::named(&app, &body.deck)?.clone();
    let rate = speed(body.speed)?;
    // What is to be seen is known before anything is kept.
    selection::channel(&app.recorder, body.channel.as_deref())?;
    let mut problems = Vec::new();
    let replay = match body.save {
        true => keep(&app, &body, now, &mut problems).await?,
        false => None,
    };
    let of_channel = Wanted {
        channel: body.channel.clone(),
        ..Wanted::default()
    };
    let items = match &replay {
        Some(replay) => {
            let id = replay["id"].as_str().expect("each replay has one");
            replayed(&app, id, &of_channel, Some(body.speed))?
        }
        None => {
            let wanted = Wanted {
                last: Some(body.last),
                ..of_channel
            };
            vec![Item {
                source: Source::Clip(wanted.clip(&app.recorder, now)?),
                speed: rate,
                continues: false,
            }]
        }
    };
    let switch = body.switch.unwrap_or(app.obs.does(ObsPart::Switch));
    let load = Load {
        items,
        play: !switch,
        then: Then::Hold,
    };
    let loaded = deck.command(Command::Load(load)).await?;
    let scene = body.scene.unwrap_or_else(|| app.obs.scene().to_owned());
    let back = body.back.unwrap_or(app.obs.does(ObsPart::Return));
    let mut answer = match switch {
        true => show(&app, &deck, &loaded, scene, back, &mut problems).await?,
        false => json!({"switched": false, "scene": null, "back_to": null}),
    };
    if !switch && body.switch != Some(false) && app.obs.state().link == Link::Off {
        problems.push(not_on_program("obs_off", OFF.to_owned()));
    }
    answer["replay"] = replay.into();
    answer["deck"] = serde_json::to_value(Deck::new(&deck, &deck.state()))
        .expect("a deck's numbers are all of them numbers of JSON");
    answer["problems"] = serde_json::to_value(problems).expect("problems are texts");
    Ok(Json(answer))
}

const OFF: &str = "lookback is not connected to OBS: start it with --obs";

/// Keeps the moment on all channels. Where there is no room it is not kept, and played all the same.
async fn keep(
    app: &App,
    body: &InstantBody,
    now: Wall,
    problems: &mut Vec<Reported>,
) -> Result<Option<Value>, Problem> {
    let save = Save {
        selection: Selection::Last(body.last.into()),
        name: body.name.as_deref().map(text::name).transpose()?,
        ..Save::default()
    };
    match app.archive.save(&save, now).await {
        Ok((saved, _)) => Ok(Some(described(&saved.replay))),
        Err(
            error @ (NotKept::Replay(lookback_replay::ReplayError::Full(_))
            | NotKept::NotMoved { .. }),
        ) => {
            problems.push(Problem::from(error).reported());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Puts the deck on the program of OBS, if there is one that does it; else the deck plays as it is.
async fn show(
    app: &App,
    deck: &Handle,
    loaded: &Done,
    scene: String,
    back: bool,
    problems: &mut Vec<Reported>,
) -> Result<Value, Problem> {
    let outcome = app
        .obs
        .show(deck, loaded.state.ended, scene.clone(), back)
        .await;
    let (switched, back_to) = match outcome {
        Some(outcome) => {
            problems.extend(match &outcome.shown {
                Shown::OnProgram => None,
                Shown::Refused(refusal) if refusal.is_not_found() => {
                    let hint = format!(
                        "OBS has no scene {scene}: lookback obs setup makes one, or name another with \
                         --obs-scene"
                    );
                    Some(not_on_program("no_such_scene", hint))
                }
                Shown::Refused(refusal) => {
                    Some(not_on_program("obs_refused", refusal.to_string()))
                }
                Shown::LetGo => {
                    let hint = "the deck was emptied before the replay was on the program";
                    Some(not_on_program("let_go", hint.to_owned()))
                }
            });
            (outcome.shown == Shown::OnProgram, outcome.back_to)
        }
        None => {
            deck.command(Command::Play).await?;
            problems.push(match app.obs.state().link {
                Link::Off => not_on_program("obs_off", OFF.to_owned()),
                Link::Connected => {
                    not_on_program("obs_busy", "OBS does not answer in time".to_owned())
                }
                Link::Connecting | Link::Refused => {
                    let hint = "there is no connection to OBS; the status says why";
                    not_on_program("obs_disconnected", hint.to_owned())
                }
            });
            (false, None)
        }
    };
    let scene = Some(scene).filter(|_| switched);
    Ok(json!({"switched": switched, "scene": scene, "back_to": back_to}))
}

fn not_on_program(code: &str, hint: String) -> Reported {
    Reported {
        code: code.to_owned(),
        count: 1,
        hint,
    }
}
