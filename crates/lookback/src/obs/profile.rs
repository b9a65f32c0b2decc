//! The profile that a set-up makes: a copy of the user's, as far as OBS lets it be read, that records
//! into lookback.
//!
//! OBS makes nothing but empty profiles for a client, so the parameters that matter are read from one and
//! written into the other. Not readable are the settings of the stream's encoder, which lie in a file
//! of their own.

use serde_json::{Value, json};

use super::connection::Refusal;
use super::encoder::Encoder;
use super::journal::fingerprint;
use super::studio::{self, Studio};

/// A parameter of a profile, and its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Setting {
    pub(crate) category: &'static str,
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Setting {
    fn new(category: &'static str, name: &str, value: impl Into<String>) -> Self {
        Self {
            category,
            name: name.to_owned(),
            value: value.into(),
        }
    }
}

/// What is carried over from the user's profile.
#[derive(Clone, Debug)]
pub(crate) struct Copied {
    settings: Vec<Setting>,
    /// `GetStreamServiceSettings`: where the user streams to.
    service: Value,
}

/// What is carried over whatever it is, since a new profile has its own idea of it. Sound comes first: OBS
/// asks for a restart in a window when it switches between profiles that differ in it.
const ALWAYS: [(&str, &[&str]); 2] = [
    (
        "Audio",
        &[
            "SampleRate",
            "ChannelSetup",
            "MonitoringDeviceId",
            "MonitoringDeviceName",
            "MeterDecayRate",
            "PeakMeterType",
        ],
    ),
    (
        "Video",
        &[
            "BaseCX",
            "BaseCY",
            "OutputCX",
            "OutputCY",
            "FPSType",
            "FPSCommon",
            "FPSInt",
            "FPSNum",
            "FPSDen",
            "ScaleType",
            "ColorFormat",
            "ColorSpace",
            "ColorRange",
            "SdrWhiteLevel",
            "HdrNominalPeakLevel",
        ],
    ),
];

/// What is carried over where the user has set it.
const IF_SET: [(&str, &[&str]); 4] = [
    (
        "AdvOut",
        &[
            "ApplyServiceSettings",
            "UseRescale",
            "RescaleRes",
            "RescaleFilter",
            "TrackIndex",
            "VodTrackEnabled",
            "VodTrackIndex",
            "StreamMultiTrackAudioMixes",
            "Encoder",
            "AudioEncoder",
            "RecFilePath",
            "RecFormat",
            "RecFormat2",
            "RecEncoder",
            "RecAudioEncoder",
            "RecTracks",
            "FFFilePath",
            "Track1Bitrate",
            "Track2Bitrate",
            "Track3Bitrate",
            "Track4Bitrate",
            "Track5Bitrate",
            "Track6Bitrate",
            "Track1Name",
            "Track2Name",
            "Track3Name",
            "Track4Name",
            "Track5Name",
            "Track6Name",
        ],
    ),
    (
        "Output",
        &[
            "FilenameFormatting",
            "OverwriteIfExists",
            "DelayEnable",
            "DelaySec",
            "DelayPreserve",
            "Reconnect",
            "RetryDelay",
            "MaxRetries",
            "BindIP",
            "IPFamily",
            "NewSocketLoopEnable",
            "LowLatencyEnable",
            "DynamicBitrate",
        ],
    ),
    (
        "SimpleOutput",
        &[
            "FilePath",
            "RecFormat",
            "RecFormat2",
            "VBitrate",
            "ABitrate",
            "StreamEncoder",
            "StreamAudioEncoder",
            "RecEncoder",
            "RecAudioEncoder",
            "RecQuality",
            "RecTracks",
            "UseAdvanced",
            "Preset",
            "x264Settings",
        ],
    ),
    ("Stream1", &["IgnoreRecommended", "EnableMultitrackVideo"]),
];

/// How the profile is to record.
#[derive(Clone, Debug)]
pub(crate) struct Recording<'a> {
    /// What OBS opens: a pipe, or a URL.
    pub(crate) url: &'a str,
    pub(crate) encoder: &'a Encoder,
    pub(crate) bitrate_kbit: u32,
    pub(crate) gop: u32,
}

impl Copied {
    /// Reads the current profile.
    pub(crate) async fn read(studio: &impl Studio) -> Result<Self, Refusal> {
        let mut settings = Vec::new();
        for (category, names) in ALWAYS {
            for name in names {
                if let Some(value) = studio::parameter(studio, category, name).await?.value {
                    settings.push(Setting::new(category, name, value));
                }
            }
        }
        for (category, names) in IF_SET {
            for name in names {
                let parameter = studio::parameter(studio, category, name).await?;
                let is_default = parameter.value == parameter.default;
                if let Some(value) = parameter.value.filter(|_| !is_default) {
                    settings.push(Setting::new(category, name, value));
                }
            }
        }
        for name in studio::hotkeys(studio).await? {
            let parameter = studio::parameter(studio, "Hotkeys", &name).await?;
            if let Some(value) = parameter.value {
                settings.push(Setting::new("Hotkeys", &name, value));
            }
        }
        let service = studio.ask("GetStreamServiceSettings", json!({})).await?;
        Ok(Self { settings, service })
    }

    /// What OBS cannot change while it runs.
    pub(crate) fn sound(&self) -> Vec<(String, String)> {
        let fixed = |setting: &&Setting| {
            setting.category == "Audio" && ["SampleRate", "ChannelSetup"].contains(&&*setting.name)
        };
        let sound = self.settings.iter().filter(fixed);
        sound
            .map(|it| (it.name.clone(), it.value.clone()))
            .collect()
    }

    /// Writes it into the current profile.
    pub(crate) async fn write(&self, studio: &impl Studio) -> Result<(), Refusal> {
        write(studio, &self.settings).await?;
        // OBS takes no service without settings, which is what one is that nobody has chosen.
        let settings = self.service["streamServiceSettings"].as_object();
        if settings.is_some_and(|settings| !settings.is_empty()) {
            let service = self.service.clone();
            studio.ask("SetStreamServiceSettings", service).await?;
        }
        Ok(())
    }
}

impl Recording<'_> {
    /// Writes it into the current profile.
    pub(crate) async fn write(&self, studio: &impl Studio) -> Result<(), Refusal> {
        write(studio, &self.settings()).await
    }

    /// Custom Output (FFmpeg) into lookback.
    fn settings(&self) -> Vec<Setting> {
        let advanced = |name: &str, value: &str| Setting::new("AdvOut", name, value);
        vec![
            Setting::new("Output", "Mode", "Advanced"),
            advanced("RecType", "FFmpeg"),
            advanced("FFOutputToFile", "false"),
            advanced("FFURL", self.url),
            advanced("FFFormat", "mpegts"),
            advanced("FFFormatMimeType", "video/MP2T"),
            advanced("FFExtension", "ts"),
            advanced("FFVEncoder", &self.encoder.name),
            advanced("FFVEncoderId", &self.encoder.codec_id.to_string()),
            advanced("FFVBitrate", &self.bitrate_kbit.to_string()),
            advanced("FFVGOPSize", &self.gop.to_string()),
            advanced("FFVCustom", &self.encoder.options(self.gop)),
            advanced("FFAEncoder", "aac"),
            advanced("FFAEncoderId", AAC),
            advanced("FFABitrate", "160"),
            advanced("FFAudioMixes", ALL_TRACKS),
        ]
    }
}

/// FFmpeg's number of AAC.
const AAC: &str = "86018";

/// A bit for each of OBS's six tracks.
const ALL_TRACKS: &str = "63";

async fn write(studio: &impl Studio, settings: &[Setting]) -> Result<(), Refusal> {
    for Setting {
        category,
        name,
        value,
    } in settings
    {
        studio::set_parameter(studio, category, name, Some(value)).await?;
    }
    Ok(())
}

/// Stands for what a set-up has written into the current profile.
pub(crate) async fn current_fingerprint(studio: &impl Studio) -> Result<String, Refusal> {
    let encoder = Encoder::named("");
    let recording = Recording {
        url: "",
        encoder: &encoder,
        bitrate_kbit: 0,
        gop: 0,
    };
    let own = recording.settings();
    let own = own
        .iter()
        .map(|setting| (setting.category, setting.name.as_str()));
    let copied = ALWAYS.iter().chain(&IF_SET);
    let copied = copied.flat_map(|(category, names)| names.iter().map(|name| (*category, *name)));
    let mut values = Vec::new();
    for (category, name) in own.chain(copied) {
        let value = studio::parameter(studio, category, name).await?.value;
        values.push(format!("{category}/{name}={value:?}"));
    }
    Ok(fingerprint(values.iter().map(String::as_str)))
}
