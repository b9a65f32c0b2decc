//! Presets: what a conversion can be asked for.
//!
//! A preset is data: arguments for ffmpeg with places for parameters, and what each parameter may be. A
//! request names a preset and sets parameters; every value is a number within its bounds or one of
//! the choices that stand in the preset. So nothing that a client sends is ever read as an argument.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value as Json;

use super::recipe::{FIT_PLACES, LIST_PLACES, PLACES, Recipe, Value, places};
use crate::settings::{Period, Size};

/// All presets, by their names.
#[derive(Clone, Debug)]
pub(crate) struct Presets(BTreeMap<String, Arc<Preset>>);

/// See the module's documentation, and `presets.toml` for what each field is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    #[serde(skip)]
    pub(super) name: String,
    pub(super) about: String,
    pub(super) file: String,
    pub(super) arguments: Vec<String>,
    #[serde(default)]
    pub(super) parameters: BTreeMap<String, Parameter>,
    pub(super) fit: Option<String>,
    pub(super) speed: Option<String>,
    pub(super) longest: Option<Period>,
}

/// What a request may set.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Parameter {
    Integer {
        about: String,
        min: i64,
        max: i64,
        default: i64,
    },
    Number {
        about: String,
        min: f64,
        max: f64,
        default: f64,
    },
    Size {
        about: String,
        min: Size,
        max: Size,
        default: Size,
    },
    /// Seconds from the start of what is converted.
    Time { about: String, default: f64 },
    /// Each stands for arguments of its own.
    Choice {
        about: String,
        choices: BTreeMap<String, Vec<String>>,
        default: String,
    },
}

/// Why a request cannot be carried out.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is no such preset.
    #[error("there is no preset {0}; /api/v1/presets lists them")]
    UnknownPreset(String),
    /// A parameter that the preset does not have, or a value that it cannot be.
    #[error("{0}")]
    Parameter(String),
}

impl Presets {
    /// Those that lookback comes with.
    pub(crate) fn built_in() -> Self {
        let table = include_str!("presets.toml")
            .parse()
            .expect("a test reads it");
        let mut presets = Self(BTreeMap::new());
        presets.extend(table).expect("a test reads it");
        presets
    }

    /// Adds presets, or puts them in the place of those of the same names. Says what is wrong with one.
    pub(crate) fn extend(&mut self, table: toml::Table) -> Result<(), String> {
        for (name, value) in table {
            let wrong = |what: &str| format!("presets.{name}: {what}");
            let preset = Preset::deserialize(value).map_err(|error| wrong(error.message()))?;
            let preset = Preset {
                name: name.clone(),
                ..preset
            };
            preset.check().map_err(|what| wrong(&what))?;
            self.0.insert(name, Arc::new(preset));
        }
        Ok(())
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Preset>> {
        self.0.values()
    }

    /// What a request asks for.
    pub(crate) fn recipe(
        &self,
        name: &str,
        parameters: &BTreeMap<String, Json>,
    ) -> Result<Recipe, Refused> {
        let preset = self
            .0
            .get(name)
            .ok_or_else(|| Refused::UnknownPreset(name.chars().take(NAME_SHOWN).collect()))?;
        preset.recipe(parameters).map_err(Refused::Parameter)
    }
}

/// Of what is no name, so much is told.
const NAME_SHOWN: usize = 64;

impl Preset {
    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// The parameters as the API shows them.
    pub(crate) fn parameters(&self) -> Json {
        let shown = self.parameters.iter().map(|(name, parameter)| {
            let shown = parameter.shown();
            (name.clone(), shown)
        });
        Json::Object(shown.collect())
    }

    /// The encoders that it needs, with the defaults of its choices.
    pub(crate) fn encoders(&self) -> Vec<String> {
        encoders_in(&self.default_arguments())
    }

    /// The filters that it needs, with the defaults of its choices.
    pub(crate) fn filters(&self) -> Vec<String> {
        filters_in(&self.default_arguments())
    }

    fn default_arguments(&self) -> Vec<String> {
        let chosen = self.parameters.values().flat_map(|it| match it {
            Parameter::Choice {
                choices, default, ..
            } => choices[default].clone(),
            _ => Vec::new(),
        });
        self.arguments.iter().cloned().chain(chosen).collect()
    }

    fn recipe(self: &Arc<Self>, given: &BTreeMap<String, Json>) -> Result<Recipe, String> {
        for name in given.keys() {
            if !self.parameters.contains_key(name) {
                let known: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
                let name: String = name.chars().take(NAME_SHOWN).collect();
                return Err(match &known[..] {
                    [] => format!("the preset {} has no parameters", self.name),
                    known => format!(
                        "the preset {} has no parameter {name:?}: it has {}",
                        self.name,
                        known.join(", ")
                    ),
                });
            }
        }
        let values = self.parameters.iter().map(|(name, parameter)| {
            let value = match given.get(name) {
                None => parameter.default(),
                Some(given) => parameter
                    .read(given)
                    .map_err(|expected| format!("{name} is {expected}, not {}", short(given)))?,
            };
            Ok((name.clone(), value))
        });
        Ok(Recipe::new(
            Arc::clone(self),
            values.collect::<Result<_, String>>()?,
        ))
    }

    /// What can be found wrong with it before it is used.
    fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err("a name is letters, digits, - or _".to_owned());
        }
        for (name, parameter) in &self.parameters {
            parameter
                .check()
                .map_err(|what| format!("{name}: {what}"))?;
        }
        if !matches!(self.kind_of(&self.fit), None | Some(Parameter::Size { .. })) {
            return Err("fit names a parameter that is a size".to_owned());
        }
        match self.kind_of(&self.speed) {
            None => {}
            Some(Parameter::Number { min, .. }) if *min > 0.0 => {}
            _ => return Err("speed names a parameter that is a number above 0".to_owned()),
        }
        for role in [&self.fit, &self.speed].into_iter().flatten() {
            if !self.parameters.contains_key(role) {
                return Err(format!("there is no parameter {role}"));
            }
        }
        self.check_places()
    }

    fn kind_of(&self, role: &Option<String>) -> Option<&Parameter> {
        self.parameters.get(role.as_ref()?)
    }

    fn check_places(&self) -> Result<(), String> {
        let is_choice =
            |name: &str| matches!(self.parameters.get(name), Some(Parameter::Choice { .. }));
        let choices = self
            .parameters
            .values()
            .filter_map(|parameter| match parameter {
                Parameter::Choice { choices, .. } => Some(choices.values().flatten()),
                _ => None,
            });
        for argument in self.arguments.iter().chain(choices.flatten()) {
            for place in places(argument) {
                let known = self.parameters.contains_key(place)
                    || PLACES.contains(&place)
                    || LIST_PLACES.contains(&place)
                    || self.fit.is_some() && FIT_PLACES.contains(&place);
                if !known {
                    return Err(format!("{{{place}}} is no parameter of it"));
                }
            }
        }
        let ending_is_known = match &*places(&self.file).collect::<Vec<_>>() {
            [] => is_ending(&self.file),
            [place] if self.file.len() == place.len() + 2 => is_choice(place),
            _ => false,
        };
        if ending_is_known {
            Ok(())
        } else {
            Err("file is the ending of the file, such as mp4, or a choice in braces".to_owned())
        }
    }
}

fn is_ending(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The encoders that arguments name.
pub(super) fn encoders_in(arguments: &[String]) -> Vec<String> {
    let named = arguments.windows(2).filter_map(|pair| {
        let selects =
            pair[0] == "-c" || pair[0].starts_with("-c:") || pair[0].starts_with("-codec");
        (selects && pair[1] != "copy").then(|| pair[1].clone())
    });
    named.collect()
}

/// The filters that arguments name: `[in]scale=2:-2,split[out];...`.
fn filters_in(arguments: &[String]) -> Vec<String> {
    let graphs = arguments.windows(2).filter(|pair| {
        ["-vf", "-af", "-filter", "-lavfi"]
            .iter()
            .any(|option| pair[0].starts_with(option))
    });
    graphs
        .flat_map(|pair| filters_of(&pair[1]))
        .map(str::to_owned)
        .collect()
}

fn filters_of(graph: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let filters = graph.split(move |c| {
        quoted ^= c == '\'';
        !quoted && matches!(c, ',' | ';')
    });
    filters.filter_map(|filter| {
        let mut filter = filter.trim_start();
        while let Some((_, behind)) = filter.strip_prefix('[').and_then(|it| it.split_once(']')) {
            filter = behind.trim_start();
        }
        let name = filter.split(['=', '@', '[']).next()?.trim();
        (!name.is_empty()).then_some(name)
    })
}

fn short(given: &Json) -> String {
    let text = given.to_string();
    match text.char_indices().nth(NAME_SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

impl Parameter {
    fn default(&self) -> Value {
        match self {
            Self::Integer { default, .. } => Value::Integer(*default),
            Self::Number { default, .. } => Value::Number(*default),
            Self::Time { default, .. } => Value::Time(*default),
            Self::Size { default, .. } => Value::Size(*default),
            Self::Choice { default, .. } => Value::Choice(default.clone()),
        }
    }

    /// The value that was given, or what it has to be.
    fn read(&self, given: &Json) -> Result<Value, String> {
        let text = match given {
            Json::String(text) => text.trim().to_owned(),
            Json::Number(number) => number.to_string(),
            _ => return Err(self.expected()),
        };
        let value = match self {
            Self::Integer { min, max, .. } => text
                .parse()
                .ok()
                .filter(|value| (min..=max).contains(&value))
                .map(Value::Integer),
            Self::Number { min, max, .. } => text
                .parse()
                .ok()
                .filter(|value: &f64| (*min..=*max).contains(value))
                .map(Value::Number),
            Self::Time { .. } => text
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite() && *value >= 0.0)
                .map(Value::Time),
            Self::Size { min, max, .. } => text
                .parse()
                .ok()
                .or_else(|| given.as_u64().map(Size))
                .filter(|value| (min..=max).contains(&value))
                .map(Value::Size),
            Self::Choice { choices, .. } => choices
                .contains_key(&text)
                .then(|| Value::Choice(text.clone())),
        };
        value.ok_or_else(|| self.expected())
    }

    fn expected(&self) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max, .. } => format!("a number from {min} to {max}"),
            Self::Time { .. } => "a number of seconds from the start".to_owned(),
            Self::Size { min, max, .. } => format!("a size from {min} to {max}"),
            Self::Choice { choices, .. } => {
                let names: Vec<&str> = choices.keys().map(String::as_str).collect();
                format!("one of {}", names.join(", "))
            }
        }
    }

    fn shown(&self) -> Json {
        let (kind, about, default) = match self {
            Self::Integer { about, default, .. } => ("integer", about, Json::from(*default)),
            Self::Number { about, default, .. } => ("number", about, Json::from(*default)),
            Self::Time { about, default } => ("time", about, Json::from(*default)),
            Self::Size { about, default, .. } => ("size", about, default.to_string().into()),
            Self::Choice { about, default, .. } => ("choice", about, default.as_str().into()),
        };
        let mut shown = serde_json::json!({"type": kind, "about": about, "default": default});
        match self {
            Self::Integer { min, max, .. } => {
                shown["min"] = (*min).into();
                shown["max"] = (*max).into();
            }
            Self::Number { min, max, .. } => {
                shown["min"] = (*min).into();
                shown["max"] = (*max).into();
            }
            Self::Size { min, max, .. } => {
                shown["min"] = min.to_string().into();
                shown["max"] = max.to_string().into();
            }
            Self::Time { .. } => {}
            Self::Choice { choices, .. } => {
                shown["choices"] = choices.keys().map(String::as_str).collect();
            }
        }
        shown
    }

    fn check(&self) -> Result<(), String> {
        let fine = match self {
            Self::Integer {
                min, max, default, ..
            } => (min..=max).contains(&default),
            Self::Number {
                min, max, default, ..
            } => min.is_finite() && max.is_finite() && (*min..=*max).contains(default),
            Self::Time { default, .. } => default.is_finite() && *default >= 0.0,
            Self::Size {
                min, max, default, ..
            } => (min..=max).contains(&default),
            Self::Choice {
                choices, default, ..
            } => choices.contains_key(default) && choices.keys().all(|name| is_ending(name)),
        };
        if fine {
            Ok(())
        } else {
            Err(format!("the default is not {}", self.expected()))
        }
    }
}
