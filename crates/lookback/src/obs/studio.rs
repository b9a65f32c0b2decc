//! What is asked of OBS: a trait with one method, and typed questions over it.
//!
//! Logic is written against [`Studio`], so that it can be run against a [`Connection`](super::Connection)
//! and against answers that were written down. Answers are read tolerantly: whatever is not in every
//! obs-websocket since 5.0 (OBS 28) is optional, and the UUIDs that later ones add are not asked for.

use std::collections::BTreeSet;
use std::future::Future;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::connection::Refusal;

/// An OBS that can be asked.
pub(crate) trait Studio: Sync {
    /// Sends one request of obs-websocket and gives the data of its response, null where there is none.
    fn ask(
        &self,
        request: &str,
        data: Value,
    ) -> impl Future<Output = Result<Value, Refusal>> + Send;
}

/// `GetVersion`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    pub(crate) obs_version: String,
    pub(crate) obs_web_socket_version: String,
    /// Such as `windows`, `macos`, `ubuntu`, `debian`.
    #[serde(default)]
    pub(crate) platform: String,
}

/// `GetProfileList`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Profiles {
    #[serde(rename = "currentProfileName")]
    pub(crate) current: String,
    #[serde(rename = "profiles")]
    pub(crate) names: Vec<String>,
}

/// `GetProfileParameter`: what the user has set, and what holds where nothing is set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub(crate) struct Parameter {
    #[serde(rename = "parameterValue")]
    pub(crate) value: Option<String>,
    #[serde(rename = "defaultParameterValue")]
    pub(crate) default: Option<String>,
}

/// `GetSceneCollectionList`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Collections {
    #[serde(rename = "currentSceneCollectionName")]
    pub(crate) current: String,
    #[serde(rename = "sceneCollections")]
    pub(crate) names: Vec<String>,
}

/// `GetSceneList`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Scenes {
    #[serde(rename = "currentProgramSceneName")]
    pub(crate) program: Option<String>,
    /// Null outside of studio mode.
    #[serde(rename = "currentPreviewSceneName")]
    pub(crate) preview: Option<String>,
    pub(crate) scenes: Vec<SceneEntry>,
}

/// One scene of [`Scenes`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SceneEntry {
    #[serde(rename = "sceneName")]
    pub(crate) name: String,
}

impl Scenes {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.scenes.iter().any(|scene| scene.name == name)
    }
}

/// One of `GetInputList`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Input {
    #[serde(rename = "inputName")]
    pub(crate) name: String,
}

/// One of `GetSceneItemList`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SceneItem {
    pub(crate) scene_item_id: i64,
    pub(crate) source_name: String,
}

/// `GetVideoSettings`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoSettings {
    pub(crate) fps_numerator: f64,
    pub(crate) fps_denominator: f64,
    pub(crate) base_width: f64,
    pub(crate) base_height: f64,
    pub(crate) output_width: f64,
    pub(crate) output_height: f64,
}

/// `GetRecordStatus`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordStatus {
    #[serde(rename = "outputActive")]
    pub(crate) active: bool,
}

/// Asks, and reads the answer as what it is to be.
pub(crate) async fn read<T: DeserializeOwned>(
    studio: &impl Studio,
    request: &str,
    data: Value,
) -> Result<T, Refusal> {
    let answer = studio.ask(request, data).await?;
    serde_json::from_value(answer).map_err(|error| Refusal::Unreadable {
        request: request.to_owned(),
        reason: error.to_string(),
    })
}

/// One member of an answer.
async fn member<T: DeserializeOwned>(
    studio: &impl Studio,
    request: &str,
    data: Value,
    name: &str,
) -> Result<T, Refusal> {
    let mut answer = studio.ask(request, data).await?;
    serde_json::from_value(answer[name].take()).map_err(|error| Refusal::Unreadable {
        request: request.to_owned(),
        reason: format!("{name}: {error}"),
    })
}

pub(crate) async fn version(studio: &impl Studio) -> Result<Version, Refusal> {
    read(studio, "GetVersion", json!({})).await
}

pub(crate) async fn profiles(studio: &impl Studio) -> Result<Profiles, Refusal> {
    read(studio, "GetProfileList", json!({})).await
}

pub(crate) async fn create_profile(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"profileName": name});
    studio.ask("CreateProfile", data).await.map(drop)
}

pub(crate) async fn switch_profile(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"profileName": name});
    studio.ask("SetCurrentProfile", data).await.map(drop)
}

pub(crate) async fn remove_profile(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"profileName": name});
    studio.ask("RemoveProfile", data).await.map(drop)
}

/// A parameter of the current profile.
pub(crate) async fn parameter(
    studio: &impl Studio,
    category: &str,
    name: &str,
) -> Result<Parameter, Refusal> {
    let data = json!({"parameterCategory": category, "parameterName": name});
    read(studio, "GetProfileParameter", data).await
}

/// Sets a parameter of the current profile, or takes it away.
pub(crate) async fn set_parameter(
    studio: &impl Studio,
    category: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), Refusal> {
    let data =
        json!({"parameterCategory": category, "parameterName": name, "parameterValue": value});
    studio.ask("SetProfileParameter", data).await.map(drop)
}

/// The names of all hotkeys, each once.
pub(crate) async fn hotkeys(studio: &impl Studio) -> Result<BTreeSet<String>, Refusal> {
    member(studio, "GetHotkeyList", json!({}), "hotkeys").await
}

pub(crate) async fn collections(studio: &impl Studio) -> Result<Collections, Refusal> {
    read(studio, "GetSceneCollectionList", json!({})).await
}

pub(crate) async fn switch_collection(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"sceneCollectionName": name});
    studio
        .ask("SetCurrentSceneCollection", data)
        .await
        .map(drop)
}

pub(crate) async fn scenes(studio: &impl Studio) -> Result<Scenes, Refusal> {
    read(studio, "GetSceneList", json!({})).await
}

pub(crate) async fn create_scene(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"sceneName": name});
    studio.ask("CreateScene", data).await.map(drop)
}

pub(crate) async fn remove_scene(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"sceneName": name});
    studio.ask("RemoveScene", data).await.map(drop)
}

pub(crate) async fn show_scene(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"sceneName": name});
    studio.ask("SetCurrentProgramScene", data).await.map(drop)
}

pub(crate) async fn scene_items(
    studio: &impl Studio,
    scene: &str,
) -> Result<Vec<SceneItem>, Refusal> {
    let data = json!({"sceneName": scene});
    member(studio, "GetSceneItemList", data, "sceneItems").await
}

pub(crate) async fn transform_scene_item(
    studio: &impl Studio,
    scene: &str,
    item: i64,
    transform: Value,
) -> Result<(), Refusal> {
    let data = json!({"sceneName": scene, "sceneItemId": item, "sceneItemTransform": transform});
    studio.ask("SetSceneItemTransform", data).await.map(drop)
}

/// `GetSceneItemTransform`, whole.
pub(crate) async fn scene_item_transform(
    studio: &impl Studio,
    scene: &str,
    item: i64,
) -> Result<Value, Refusal> {
    let data = json!({"sceneName": scene, "sceneItemId": item});
    member(studio, "GetSceneItemTransform", data, "sceneItemTransform").await
}

/// How many filters a source or a scene has.
pub(crate) async fn filters(studio: &impl Studio, source: &str) -> Result<usize, Refusal> {
    let data = json!({"sourceName": source});
    let filters: Vec<Value> = member(studio, "GetSourceFilterList", data, "filters").await?;
    Ok(filters.len())
}

pub(crate) async fn inputs(studio: &impl Studio) -> Result<Vec<Input>, Refusal> {
    member(studio, "GetInputList", json!({}), "inputs").await
}

/// Makes an input in a scene; gives the number of the scene item.
pub(crate) async fn create_input(
    studio: &impl Studio,
    scene: &str,
    name: &str,
    kind: &str,
    settings: Value,
) -> Result<i64, Refusal> {
    let data = json!({"sceneName": scene, "inputName": name, "inputKind": kind,
                      "inputSettings": settings, "sceneItemEnabled": true});
    member(studio, "CreateInput", data, "sceneItemId").await
}

/// The settings of an input that differ from their defaults.
pub(crate) async fn input_settings(studio: &impl Studio, name: &str) -> Result<Value, Refusal> {
    let data = json!({"inputName": name});
    member(studio, "GetInputSettings", data, "inputSettings").await
}

pub(crate) async fn remove_input(studio: &impl Studio, name: &str) -> Result<(), Refusal> {
    let data = json!({"inputName": name});
    studio.ask("RemoveInput", data).await.map(drop)
}

pub(crate) async fn video_settings(studio: &impl Studio) -> Result<VideoSettings, Refusal> {
    read(studio, "GetVideoSettings", json!({})).await
}

pub(crate) async fn record_status(studio: &impl Studio) -> Result<RecordStatus, Refusal> {
    read(studio, "GetRecordStatus", json!({})).await
}

pub(crate) async fn start_record(studio: &impl Studio) -> Result<(), Refusal> {
    studio.ask("StartRecord", json!({})).await.map(drop)
}

pub(crate) async fn stop_record(studio: &impl Studio) -> Result<(), Refusal> {
    studio.ask("StopRecord", json!({})).await.map(drop)
}

pub(crate) async fn is_streaming(studio: &impl Studio) -> Result<bool, Refusal> {
    member(studio, "GetStreamStatus", json!({}), "outputActive").await
}

/// Whether the replay buffer runs. Where OBS has none, it does not.
pub(crate) async fn is_buffering(studio: &impl Studio) -> Result<bool, Refusal> {
    or_absent(member(studio, "GetReplayBufferStatus", json!({}), "outputActive").await)
}

/// Whether the virtual camera runs. Where OBS has none, it does not.
pub(crate) async fn is_virtual_camera_on(studio: &impl Studio) -> Result<bool, Refusal> {
    or_absent(member(studio, "GetVirtualCamStatus", json!({}), "outputActive").await)
}

pub(crate) async fn is_studio_mode_on(studio: &impl Studio) -> Result<bool, Refusal> {
    member(
        studio,
        "GetStudioModeEnabled",
        json!({}),
        "studioModeEnabled",
    )
    .await
}

/// An output that OBS does not have does not run.
fn or_absent(answer: Result<bool, Refusal>) -> Result<bool, Refusal> {
    match answer {
        Err(Refusal::Refused { .. }) => Ok(false),
        answer => answer,
    }
}
