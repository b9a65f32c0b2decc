//! The settings file: TOML whose keys are the long names of the options. The table `[obs]` has those that
//! begin with `obs-`, without that, and `address` for `obs` itself.

use std::path::Path;

use clap::{Arg, Command};
use toml::{Table, Value};

use super::Options;
use crate::convert::Presets;
use crate::usage::Usage;

/// `command` with the settings that the file gives as the defaults of its options, and of those of
/// its subcommands. `path` only says in errors which file `text` is from.
pub(crate) fn with_file(command: Command, path: &Path, text: &str) -> Result<Command, Usage> {
    let fail = |what: String| Usage::new(format!("{}: {what}", path.display()));
    let table: Table = text
        .parse()
        .map_err(|error| fail(on_one_line(&error, text)))?;
    let options = <Options as clap::Args>::augment_args(Command::new("settings"));
    let known: Vec<&str> = options.get_arguments().filter_map(Arg::get_long).collect();
    let mut defaults = Vec::new();
    for (key, value) in &flat(table) {
        if key == PRESETS {
            continue;
        }
        // A file names no other file.
        if key == "config" || !known.contains(&key.as_str()) {
            return Err(fail(unknown(key, &known)));
        }
        let values = texts(value).ok_or_else(|| fail(format!("{key} takes a text or a number")))?;
        check(&options, key, &values).map_err(&fail)?;
        defaults.push((key.clone(), values));
    }
    let apply = move |arg: Arg| {
        let found = defaults.iter().find(|(key, _)| arg.get_long() == Some(key));
        match found {
            Some((_, values)) => arg.default_values(values.clone()),
            None => arg,
        }
    };
    Ok(command
        .mut_args(&apply)
        .mut_subcommands(|subcommand| subcommand.mut_args(&apply)))
}

/// The table whose keys are options with this in front.
const OBS: &str = "obs";

/// What it says of where OBS is, and what it is if it does not say so.
const OBS_ADDRESS: (&str, &str) = ("address", "127.0.0.1:4455");

/// The same with the keys of the table `[obs]` as options.
fn flat(mut table: Table) -> Table {
    match table.remove(OBS) {
        Some(Value::Table(mut obs)) => {
            let address = obs.remove(OBS_ADDRESS.0);
            let address = address.unwrap_or_else(|| OBS_ADDRESS.1.into());
            let options = obs
                .into_iter()
                .map(|(key, value)| (format!("{OBS}-{key}"), value));
            table.extend(options);
            table.insert(OBS.to_owned(), address);
        }
        Some(value) => {
            table.insert(OBS.to_owned(), value);
        }
        None => {}
    }
    table
}

/// The one key that is no option: presets that are added.
const PRESETS: &str = "presets";

/// The presets that lookback comes with, and those of the file.
pub(crate) fn presets(path: &Path, text: &str) -> Result<Presets, Usage> {
    let fail = |what: String| Usage::new(format!("{}: {what}", path.display()));
    let mut table: Table = text
        .parse()
        .map_err(|error| fail(on_one_line(&error, text)))?;
    let mut presets = Presets::built_in();
    match table.remove(PRESETS) {
        None => {}
        Some(Value::Table(added)) => presets.extend(added).map_err(fail)?,
        Some(_) => return Err(fail("presets are tables: [presets.NAME]".to_owned())),
    }
    Ok(presets)
}

/// Reads the values the way the command line is read, and says what it would say.
fn check(options: &Command, key: &str, values: &[String]) -> Result<(), String> {
    let flags = values.iter().map(|value| format!("--{key}={value}"));
    let arguments = std::iter::once("settings".to_owned()).chain(flags);
    match options.clone().try_get_matches_from(arguments) {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::cli::on_one_line(&error)),
    }
}

/// A value as it would stand on the command line; several for an array.
fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => Some(vec![text(value)?]),
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
    let likeness = |name: &str| strsim::jaro_winkler(key, name);
    let nearest = known
        .iter()
        .filter(|name| **name != key && likeness(name) > 0.7)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) => format!("unknown setting `{key}`, did you mean `{name}`?"),
        None => format!("unknown setting `{key}`; lookback --help lists them all"),
    }
}

fn on_one_line(error: &toml::de::Error, text: &str) -> String {
    let before = error
        .span()
        .and_then(|span| text.get(..span.start))
        .unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message: Vec<&str> = error.message().lines().collect();
    format!("line {line}: {}", message.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let result = with_file(Command::new("lookback"), Path::new("lookback.toml"), text);
        result.expect_err("a mistake").to_string()
    }

    #[test]
    fn unknown_settings_name_the_nearest() {
        assert_eq!(
            error("memroy = \"1GiB\""),
            "lookback.toml: unknown setting `memroy`, did you mean `memory`?"
        );
        assert!(error("colour = 1").contains("--help"));
        assert!(
            error("config = \"x\"").contains("unknown setting"),
            "files do not name files"
        );
    }

    #[test]
    fn mistakes_are_one_line_that_names_the_file() {
        for text in [
            "memory = \"lots\"",
            "memory = [\"1GiB\", \"2GiB\"]",
            "keep = true",
            "a = \n",
            "x\ny=1",
        ] {
            let error = error(text);
            assert!(error.starts_with("lookback.toml: "), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert!(error("memory = \"lots\"").contains("200MB"));
        assert!(
            error("keep = \"1h\"\nx").contains("line 2"),
            "{}",
            error("keep = \"1h\"\nx")
        );
    }
}
