//! An OBS and a lookback in memory, so that a set-up can be cut short after any request.
//!
//! It holds to what matters about the real one: how it records is read when a profile is entered, and only
//! then; a size that is not there yet is that of the profile before; scenes and sources share their names.
//! Its answers are those of obs-websocket 5.1, as OBS 29.0 gave them, and of other versions as the
//! protocol's documentation of 5.0, 5.5 and 5.7 has them: later ones add UUIDs, and leave nothing out.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use super::connection::Refusal;
use super::journal::Output;
use super::server::Server;
use super::setup::Operator;
use super::studio::Studio;
use crate::client::Failure;
use crate::http::Status;

/// Where the lookback of the rehearsal takes its video.
pub(super) const SOURCE: &str = "tcp://127.0.0.1:1689";

type Parameters = BTreeMap<(String, String), String>;

/// All that is on the stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct World {
    pub(super) version: Version,
    pub(super) profiles: BTreeMap<String, Parameters>,
    pub(super) profile: String,
    /// What the current profile was when it was entered.
    entered: Parameters,
    pub(super) scenes: BTreeMap<String, BTreeMap<i64, (String, Value)>>,
    pub(super) program: String,
    pub(super) inputs: BTreeMap<String, Value>,
    pub(super) running: Vec<Output>,
    pub(super) has_camera: bool,
    /// The encoders that work.
    pub(super) encoders: Vec<&'static str>,
}

/// Which OBS is rehearsed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Version {
    pub(super) obs: &'static str,
    pub(super) websocket: &'static str,
    /// Whether answers name things by UUID as well.
    pub(super) has_uuids: bool,
}

pub(super) const VERSIONS: [Version; 5] = [
    Version {
        obs: "28.0.0",
        websocket: "5.0.1",
        has_uuids: false,
    },
    Version {
        obs: "29.0.2",
        websocket: "5.1.0",
        has_uuids: false,
    },
    Version {
        obs: "30.2.0",
        websocket: "5.5.0",
        has_uuids: true,
    },
    Version {
        obs: "31.0.0",
        websocket: "5.5.4",
        has_uuids: true,
    },
    Version {
        obs: "32.0.0",
        websocket: "5.6.3",
        has_uuids: true,
    },
];

impl World {
    /// An OBS with a profile and a scene of the user's.
    pub(super) fn new(version: Version) -> Self {
        let own = [
            (("Audio", "SampleRate"), "44100"),
            (("Video", "BaseCX"), "1920"),
            (("Video", "BaseCY"), "1080"),
            (("Video", "FPSInt"), "60"),
            (("Hotkeys", "OBSBasic.StartStreaming"), "{\"bindings\":[]}"),
            (("AdvOut", "FFVEncoder"), "libx265"),
        ];
        let own: Parameters = own
            .into_iter()
            .map(|((category, name), value)| {
                ((category.to_owned(), name.to_owned()), value.to_owned())
            })
            .collect();
        let scene = BTreeMap::from([(1, ("Camera".to_owned(), json!({"positionX": 3.0})))]);
        Self {
            version,
            profiles: BTreeMap::from([("Mine".to_owned(), own.clone())]),
            profile: "Mine".to_owned(),
            entered: own,
            scenes: BTreeMap::from([("Talk".to_owned(), scene)]),
            program: "Talk".to_owned(),
            inputs: BTreeMap::from([("Camera".to_owned(), json!({"device": 1}))]),
            running: Vec::new(),
            has_camera: false,
            encoders: vec!["libx264"],
        }
    }

    fn enter(&mut self, profile: &str) {
        assert!(
            self.running.is_empty(),
            "an OBS that is busy rebuilds nothing"
        );
        let parameters = &self.profiles[profile];
        let rate = |parameters: &Parameters| {
            let key = ("Audio".to_owned(), "SampleRate".to_owned());
            parameters.get(&key).cloned()
        };
        // A profile without a rate has not been asked about it yet.
        let (before, after) = (rate(&self.profiles[&self.profile]), rate(parameters));
        assert!(
            after.is_none() || before.is_some_and(|before| after == Some(before)),
            "OBS asks in a window whether it may start again"
        );
        self.entered = parameters.clone();
        self.profile = profile.to_owned();
    }

    /// Whether pictures come out of it.
    fn is_sending(&self) -> bool {
        let entered = |category: &str, name: &str, value: &str| {
            let key = (category.to_owned(), name.to_owned());
            self.entered.get(&key).is_some_and(|it| it == value)
        };
        self.running.contains(&Output::Recording)
            && entered("Output", "Mode", "Advanced")
            && entered("AdvOut", "RecType", "FFmpeg")
            && self.advanced("FFURL") == Some(SOURCE)
    }

    fn advanced(&self, name: &str) -> Option<&str> {
        let key = ("AdvOut".to_owned(), name.to_owned());
        self.profiles[&self.profile].get(&key).map(String::as_str)
    }

    fn video(&self, name: &str, default: f64) -> f64 {
        let key = ("Video".to_owned(), name.to_owned());
        let value = self.entered.get(&key).and_then(|value| value.parse().ok());
        value.unwrap_or(default)
    }
}

/// A world, and how many requests it lives for.
pub(super) struct Stage {
    world: Mutex<World>,
    lives: Mutex<usize>,
    /// Pictures that have arrived.
    pictures: Mutex<u32>,
    told: Mutex<Vec<String>>,
    pub(super) yes: bool,
}

impl Stage {
    pub(super) fn new(world: World) -> Self {
        Self::living(world, usize::MAX)
    }

    /// One whose OBS goes away after so many requests.
    pub(super) fn living(world: World, requests: usize) -> Self {
        Self {
            world: Mutex::new(world),
            lives: Mutex::new(requests),
            pictures: Mutex::new(0),
            told: Mutex::default(),
            yes: false,
        }
    }

    pub(super) fn world(&self) -> World {
        self.world.lock().expect("nobody panics with it").clone()
    }

    /// What the operator has heard.
    pub(super) fn told(&self) -> Vec<String> {
        self.told.lock().expect("nobody panics with it").clone()
    }

    /// The world as OBS finds it when it is started again.
    pub(super) fn reopened(&self) -> World {
        let mut world = self.world();
        world.running.clear();
        world.entered = world.profiles[&world.profile].clone();
        world
    }
}

impl Operator for Stage {
    fn tell(&self, step: &str) {
        let mut told = self.told.lock().expect("nobody panics with it");
        told.push(step.to_owned());
    }

    fn may_stop(&self, _: &[Output]) -> bool {
        self.yes
    }
}

impl Server for Stage {
    async fn status(&self) -> Result<Status, Failure> {
        let is_sending = self.world().is_sending();
        let mut pictures = self.pictures.lock().expect("nobody panics with it");
        *pictures += u32::from(is_sending);
        let window = (*pictures > 0).then(|| {
            json!({"start": "", "end": pictures.to_string(), "duration_s": *pictures, "bytes": 1})
        });
        let video = json!({"codec": "avc1.64001f", "width": 1920, "height": 1080, "fps": 60.0});
        let status = json!({
            "version": "1", "decks": [], "inputs": [{"channel": "main", "source": SOURCE}],
            "memory": {"limit_bytes": 1, "used_bytes": 1, "held_bytes": 0, "index_bytes": 0},
            "channels": [{"name": "main", "source": null, "runs": 1, "received_bytes": 1, "discarded_bytes": 0,
                "state": if is_sending { "recording" } else { "waiting" }, "problems": [], "audio": [],
                "video": if *pictures > 0 { video } else { Value::Null }, "window": window}],
        });
        Ok(serde_json::from_value(status).expect("it is a status"))
    }
}

impl Studio for Stage {
    async fn ask(&self, request: &str, data: Value) -> Result<Value, Refusal> {
        {
            let mut lives = self.lives.lock().expect("nobody panics with it");
            *lives = lives.checked_sub(1).ok_or(Refusal::Lost)?;
        }
        let mut world = self.world.lock().expect("nobody panics with it");
        world
            .answer(request, &data)
            .map_err(|code| Refusal::Refused {
                request: request.to_owned(),
                code,
                comment: data.to_string(),
            })
    }
}

const EXISTS: u16 = 601;
const MISSING: u16 = 600;
const UNAVAILABLE: u16 = 604;

impl World {
    fn answer(&mut self, request: &str, data: &Value) -> Result<Value, u16> {
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let key = (text("parameterCategory"), text("parameterName"));
        let current = self.profile.clone();
        Ok(match request {
            "GetVersion" => {
                json!({"obsVersion": self.version.obs, "obsWebSocketVersion": self.version.websocket,
                "rpcVersion": 1, "availableRequests": [], "supportedImageFormats": [], "platform": "debian",
                "platformDescription": "Debian"})
            }
            "GetProfileList" => json!({"currentProfileName": current,
                "profiles": self.profiles.keys().collect::<Vec<_>>()}),
            "CreateProfile" => {
                let name = text("profileName");
                if self.profiles.contains_key(&name) {
                    return Err(EXISTS);
                }
                self.profiles.insert(name.clone(), Parameters::new());
                self.enter(&name);
                Value::Null
            }
            "SetCurrentProfile" => {
                let name = text("profileName");
                if !self.profiles.contains_key(&name) {
                    return Err(MISSING);
                }
                if name != current {
                    self.enter(&name);
                }
                Value::Null
            }
            "RemoveProfile" => {
                assert_ne!(text("profileName"), current, "OBS would ask");
                self.profiles.remove(&text("profileName")).ok_or(MISSING)?;
                Value::Null
            }
            "GetProfileParameter" => {
                let value = self.profiles[&current].get(&key);
                json!({"parameterValue": value, "defaultParameterValue": null})
            }
            "SetProfileParameter" => {
                let value = text("parameterValue");
                self.profiles
                    .get_mut(&current)
                    .ok_or(MISSING)?
                    .insert(key, value);
                Value::Null
            }
            "GetHotkeyList" => {
                json!({"hotkeys": ["OBSBasic.StartStreaming", "OBSBasic.StartStreaming"]})
            }
            "GetStreamServiceSettings" => {
                json!({"streamServiceType": "rtmp_common", "streamServiceSettings": {}})
            }
            "GetVideoSettings" => {
                json!({"fpsNumerator": self.video("FPSInt", 30.0), "fpsDenominator": 1,
                "baseWidth": self.video("BaseCX", 1280.0), "baseHeight": self.video("BaseCY", 720.0),
                "outputWidth": self.video("BaseCX", 1280.0), "outputHeight": self.video("BaseCY", 720.0)})
            }
            // Older ones look for the files, and find none while they save.
            "GetSceneCollectionList" => json!({"currentSceneCollectionName": "C",
                "sceneCollections": if self.version.has_uuids { vec!["C"] } else { vec![] }}),
            "GetStreamStatus" | "GetRecordStatus" => {
                let output = match request {
                    "GetStreamStatus" => Output::Stream,
                    _ => Output::Recording,
                };
                json!({"outputActive": self.running.contains(&output)})
            }
            "GetVirtualCamStatus" if self.has_camera => {
                json!({"outputActive": self.running.contains(&Output::VirtualCamera)})
            }
            "GetReplayBufferStatus" | "GetVirtualCamStatus" => return Err(UNAVAILABLE),
            "StartVirtualCam" => {
                self.running.push(Output::VirtualCamera);
                Value::Null
            }
            "StopVirtualCam" => {
                self.running
                    .retain(|output| *output != Output::VirtualCamera);
                Value::Null
            }
            "StartRecord" => {
                let encoder = self.advanced("FFVEncoder").unwrap_or_default().to_owned();
                if self.encoders.contains(&encoder.as_str()) {
                    self.running.push(Output::Recording);
                }
                Value::Null
            }
            "StopRecord" => {
                self.running.retain(|output| *output != Output::Recording);
                Value::Null
            }
            "StopStream" => {
                self.running.retain(|output| *output != Output::Stream);
                Value::Null
            }
            _ => self.answer_of_scenes(request, data)?,
        })
    }

    fn answer_of_scenes(&mut self, request: &str, data: &Value) -> Result<Value, u16> {
        let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        let (scene, input) = (text("sceneName"), text("inputName"));
        let item = data["sceneItemId"].as_i64().unwrap_or_default();
        let is_taken =
            |name: &String| self.scenes.contains_key(name) || self.inputs.contains_key(name);
        let named = |what: &str, name: &str| self.named(what, name);
        Ok(match request {
            "GetSceneList" => {
                json!({"currentProgramSceneName": self.program, "currentPreviewSceneName": null,
                "scenes": self.scenes.keys().map(|name| named("scene", name)).collect::<Vec<_>>()})
            }
            "CreateScene" if is_taken(&scene) => return Err(EXISTS),
            "CreateScene" => {
                self.scenes.insert(scene, BTreeMap::new());
                Value::Null
            }
            "RemoveScene" => {
                assert_ne!(scene, self.program, "the program must not be left to OBS");
                self.scenes.remove(&scene).ok_or(MISSING)?;
                Value::Null
            }
            "SetCurrentProgramScene" => {
                self.program = scene;
                Value::Null
            }
            "GetInputList" => json!({"inputs": self.inputs.keys().map(|name| {
                let mut input = named("input", name);
                input["inputKind"] = "ffmpeg_source".into();
                input["unversionedInputKind"] = "ffmpeg_source".into();
                input
            }).collect::<Vec<_>>()}),
            "CreateInput" if is_taken(&input) => return Err(EXISTS),
            "CreateInput" => {
                self.inputs
                    .insert(input.clone(), data["inputSettings"].clone());
                let items = self.scenes.get_mut(&scene).ok_or(MISSING)?;
                items.insert(7, (input, json!({})));
                json!({"sceneItemId": 7, "inputUuid": "2b1d"})
            }
            "RemoveInput" => {
                self.inputs.remove(&input).ok_or(MISSING)?;
                for items in self.scenes.values_mut() {
                    items.retain(|_, (source, _)| *source != input);
                }
                Value::Null
            }
            "GetInputSettings" => json!({"inputSettings": self.inputs.get(&input).ok_or(MISSING)?}),
            "GetSourceFilterList" => json!({"filters": []}),
            "GetSceneItemList" => {
                let items = self.scenes.get(&scene).ok_or(MISSING)?;
                json!({"sceneItems": items.iter().map(|(id, (source, _))|
                    json!({"sceneItemId": id, "sceneItemIndex": 0, "sourceName": source})).collect::<Vec<_>>()})
            }
            "SetSceneItemTransform" => {
                let items = self.scenes.get_mut(&scene).ok_or(MISSING)?;
                items.get_mut(&item).ok_or(MISSING)?.1 = data["sceneItemTransform"].clone();
                Value::Null
            }
            "GetSceneItemTransform" => {
                let items = self.scenes.get(&scene).ok_or(MISSING)?;
                json!({"sceneItemTransform": items.get(&item).ok_or(MISSING)?.1})
            }
            other => panic!("no OBS is asked for {other}"),
        })
    }

    /// A thing by its name, and by its UUID where this version has them.
    fn named(&self, what: &str, name: &str) -> Value {
        let mut thing = Map::from_iter([(format!("{what}Name"), name.into())]);
        if self.version.has_uuids {
            thing.insert(format!("{what}Uuid"), "6a9f".into());
        }
        thing.into()
    }
}

mod tests;
