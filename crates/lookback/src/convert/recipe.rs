//! A recipe: a preset with values for its parameters, and the arguments for ffmpeg that come of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lookback_codec::Codec;
use serde_json::Value as Json;

use super::footage::Footage;
use super::preset::{Parameter, Preset, Refused};
use crate::settings::Size;

/// What a parameter was set to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Number(f64),
    Time(f64),
    Size(Size),
    Choice(String),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Number(value) | Self::Time(value) => value.to_string(),
            Self::Size(Size(bytes)) => bytes.to_string(),
            Self::Choice(value) => value.clone(),
        }
    }

    fn shown(&self) -> Json {
        match self {
            Self::Integer(value) => (*value).into(),
            Self::Number(value) | Self::Time(value) => (*value).into(),
            Self::Size(size) => size.to_string().into(),
            Self::Choice(value) => value.as_str().into(),
        }
    }
}

/// Places that every preset has, and those that are an argument of their own.
pub(super) const PLACES: [&str; 1] = ["duration"];
pub(super) const LIST_PLACES: [&str; 1] = ["as_recorded"];
/// Places that a preset has whose result fits a size.
pub(super) const FIT_PLACES: [&str; 5] = [
    "video_rate",
    "peak_rate",
    "sound_rate",
    "height",
    "frame_rate",
];

/// The names in braces in an argument.
pub(super) fn places(argument: &str) -> impl Iterator<Item = &str> {
    argument
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    preset: Arc<Preset>,
    values: BTreeMap<String, Value>,
}

impl Recipe {
    pub(super) fn new(preset: Arc<Preset>, values: BTreeMap<String, Value>) -> Self {
        Self { preset, values }
    }

    /// The preset it is of.
    pub(crate) fn preset(&self) -> &Preset {
        &self.preset
    }

    /// All its parameters, as the API shows them.
    pub(crate) fn parameters(&self) -> Json {
        let shown = self.values.iter();
        Json::Object(
            shown
                .map(|(name, value)| (name.clone(), value.shown()))
                .collect(),
        )
    }

    /// The ending of the file.
    pub(crate) fn ending(&self) -> String {
        let file = &self.preset.file;
        match places(file).next().and_then(|place| self.values.get(place)) {
            Some(value) => value.text(),
            None => file.clone(),
        }
    }

    /// The size that the result must not exceed.
    pub(crate) fn fit(&self) -> Option<Size> {
        match self.values.get(self.preset.fit.as_ref()?) {
            Some(Value::Size(size)) => Some(*size),
            _ => None,
        }
    }

    /// How long the result plays.
    pub(crate) fn duration(&self, footage: &Footage) -> Duration {
        let speed = self
            .preset
            .speed
            .as_ref()
            .and_then(|name| self.values.get(name));
        match speed {
            Some(Value::Number(speed)) => footage.duration().div_f64(*speed),
            _ => footage.duration(),
        }
    }

    /// The encoders it needs.
    pub(crate) fn encoders(&self) -> Vec<String> {
        let all: Vec<String> = self.argument_lists().flatten().cloned().collect();
        super::preset::encoders_in(&all)
    }

    /// Whether pictures or sound are copied as they are.
    pub(super) fn copies(&self) -> bool {
        let copies = |pair: &[String]| pair[0].starts_with("-c") && pair[1] == "copy";
        self.argument_lists()
            .any(|arguments| arguments.windows(2).any(copies))
    }

    /// Those of the preset, and those of each choice.
    fn argument_lists(&self) -> impl Iterator<Item = &Vec<String>> {
        let chosen = self.values.iter().filter_map(|(name, value)| {
            match (&self.preset.parameters[name], value) {
                (Parameter::Choice { choices, .. }, Value::Choice(chosen)) => {
                    Some(&choices[chosen])
                }
                _ => None,
            }
        });
        std::iter::once(&self.preset.arguments).chain(chosen)
    }

    /// Whether it can be made of this.
    pub(crate) fn check(&self, footage: &Footage) -> Result<(), Refused> {
        let (length, name) = (footage.duration(), self.preset.name());
        let refuse = |what: String| Err(Refused::Parameter(what));
        if let Some(longest) = self
            .preset
            .longest
            .filter(|longest| length > (*longest).into())
        {
            return refuse(format!(
                "{name} takes at most {longest}, and this is {:.1} s: choose a part with in_s and out_s",
                length.as_secs_f64()
            ));
        }
        for (parameter, value) in &self.values {
            if let Value::Time(at) = value
                && *at > length.as_secs_f64()
            {
                return refuse(format!(
                    "{parameter} is {at}, behind the end at {:.3} s",
                    length.as_secs_f64()
                ));
            }
        }
        let lines = self.lines(footage, None);
        let wants_none_of = |flag: &str| lines.iter().any(|line| line == flag);
        let has = |kind: fn(&Codec) -> bool| footage.codecs().iter().any(kind);
        if wants_none_of("-an") && !has(is_video) {
            return refuse(format!("{name} makes pictures, and there are none in this"));
        }
        if wants_none_of("-vn") && !has(|codec| !is_video(codec)) {
            return refuse(format!("{name} makes sound, and there is none in this"));
        }
        if footage.is_reel() && self.copies() {
            return refuse(format!(
                "{name} copies pictures as they are, also those between the pieces of a reel that are not to be \
                 seen: take the MP4 instead"
            ));
        }
        if footage.is_part() && self.copies() {
            return refuse(format!(
                "{name} copies pictures as they are, and can begin at keyframes only: leave out in_s and \
                 out_s, or make a shorter clip"
            ));
        }
        match self.fit() {
            Some(size) if Rates::new(size, self.duration(footage), 1.0).is_none() => {
                refuse(format!(
                    "{:.0} s cannot be made as small as {size}: choose a larger size or a shorter part",
                    length.as_secs_f64()
                ))
            }
            _ => Ok(()),
        }
    }

    /// What ffmpeg is told between its input and its output. `scale` is how much of the size a result
    /// that has to fit should take; `None` if it cannot be so little.
    pub(super) fn arguments(&self, footage: &Footage, scale: f64) -> Option<Vec<String>> {
        let rates = match self.fit() {
            Some(size) => Some(Rates::new(size, self.duration(footage), scale)?),
            None => None,
        };
        Some(self.lines(footage, rates.as_ref()))
    }

    fn lines(&self, footage: &Footage, rates: Option<&Rates>) -> Vec<String> {
        let mut lines = Vec::new();
        for argument in &self.preset.arguments {
            self.add(argument, footage, rates, &mut lines);
        }
        lines
    }

    /// Adds what one argument stands for.
    fn add(
        &self,
        argument: &str,
        footage: &Footage,
        rates: Option<&Rates>,
        lines: &mut Vec<String>,
    ) {
        let alone = argument
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        if alone == Some("as_recorded") {
            lines.extend(as_recorded(footage));
            return;
        }
        if let Some(Parameter::Choice { choices, .. }) =
            alone.and_then(|name| self.preset.parameters.get(name))
            && let Some(Value::Choice(chosen)) = alone.and_then(|name| self.values.get(name))
            && !choices[chosen].is_empty()
        {
            for argument in &choices[chosen] {
                self.add(argument, footage, rates, lines);
            }
            return;
        }
        let mut line = argument.to_owned();
        for place in places(argument) {
            let value = match self.values.get(place) {
                Some(value) => value.text(),
                None if place == "duration" => {
                    format!("{:.3}", self.duration(footage).as_secs_f64())
                }
                None => rates.map(|rates| rates.text(place)).unwrap_or_default(),
            };
            line = line.replace(&format!("{{{place}}}"), &value);
        }
        lines.push(line);
    }
}

/// What the MP4 muxer has to be told of streams that are copied: how AAC is framed, which a pipe gives
/// it no time to find out, and that HEVC is tagged as Apple's players know it.
fn as_recorded(footage: &Footage) -> Vec<String> {
    let mut lines = Vec::new();
    let mut sounds = 0;
    for codec in footage.codecs() {
        match codec {
            Codec::Hevc => lines.extend(["-tag:v", "hvc1"].map(str::to_owned)),
            codec if is_video(codec) => {}
            codec => {
                if *codec == Codec::AacAdts {
                    lines.extend([format!("-bsf:a:{sounds}"), "aac_adtstoasc".to_owned()]);
                }
                sounds += 1;
            }
        }
    }
    lines
}

fn is_video(codec: &Codec) -> bool {
    matches!(codec, Codec::H264 | Codec::Hevc | Codec::Mpeg2Video)
}

/// Bits for pictures and sound, so that all together fit a size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rates {
    video: u64,
    sound: u64,
    height: u32,
    frames: u32,
}

/// What the container takes: in front, and each second.
const CONTAINER_BITS: f64 = 8.0 * 4_000.0;
const CONTAINER_RATE: f64 = 12_000.0;
/// Of the rest the encoder gets this much to aim at. It misses by a little, either way.
const AIM: f64 = 0.95;
/// More makes no picture of 1080 lines any better.
const VIDEO_MAX: f64 = 16e6;
const VIDEO_MIN: f64 = 12_000.0;
const SOUND_MAX: f64 = 128_000.0;
const SOUND_MIN: f64 = 16_000.0;

/// The lines that a rate is enough for, and the pictures each second.
const STEPS: [(f64, u32, u32); 6] = [
    (3.5e6, 1080, 60),
    (1.5e6, 720, 60),
    (700e3, 540, 30),
    (350e3, 360, 30),
    (150e3, 240, 30),
    (0.0, 144, 15),
];

impl Rates {
    /// Rates with which so much video takes `scale` of `size`; none if it cannot be so little.
    fn new(size: Size, duration: Duration, scale: f64) -> Option<Self> {
        let seconds = duration.as_secs_f64().max(0.1);
        let bits = size.0 as f64 * 8.0 * scale - CONTAINER_BITS;
        let rate = (bits / seconds - CONTAINER_RATE) * AIM;
        let sound = (rate / 8.0).clamp(SOUND_MIN, SOUND_MAX);
        let video = (rate - sound).min(VIDEO_MAX);
        if video < VIDEO_MIN {
            return None;
        }
        let (_, height, frames) = STEPS
            .into_iter()
            .find(|(enough_for, ..)| video >= *enough_for)?;
        Some(Self {
            video: video as u64,
            sound: sound as u64,
            height,
            frames,
        })
    }

    fn text(&self, place: &str) -> String {
        match place {
            "video_rate" => self.video.to_string(),
            // An encoder that may go far above the rate at times makes better pictures of the same size.
            "peak_rate" => (self.video * 3 / 2).to_string(),
            "sound_rate" => self.sound.to_string(),
            "height" => self.height.to_string(),
            "frame_rate" => self.frames.to_string(),
            _ => String::new(),
        }
    }
}
