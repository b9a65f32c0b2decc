//! Names of files: made by a template, and safe on every system.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lookback_replay::Wall;

/// How files are called, such as `{date}_{time}_{channel}_{name}_{n}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(String);

/// What the places of a template are filled with.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) channel: String,
    pub(crate) name: String,
    pub(crate) start: Wall,
}

impl Default for Template {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

/// The default, as `--help` shows it.
pub(crate) const DEFAULT: &str = "{date}_{time}_{channel}_{name}_{n}";

const PLACES: [&str; 5] = ["date", "time", "channel", "name", "n"];
const TEMPLATE_MAX: usize = 100;

/// More files of one name are a mistake.
const NUMBER_MAX: u32 = 9_999;

/// Bytes of a name that people give. With the rest it stays below the 255 of most systems.
const NAME_MAX: usize = 100;

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let explain = || {
            format!(
                "write it as {DEFAULT}, with {{date}}, {{time}}, {{channel}}, {{name}}, {{n}} and what \
                 file names may have between them"
            )
        };
        let mut between = text.to_owned();
        for place in PLACES {
            between = between.replace(&format!("{{{place}}}"), "");
        }
        let is_plain = between.chars().all(|c| is_safe(c) && c != '{' && c != '}');
        // Something must be left when nobody gave a name.
        let has_place = ["{date}", "{time}", "{channel}", "{name}"]
            .into_iter()
            .any(|place| text.contains(place));
        if is_plain && has_place && text.len() <= TEMPLATE_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(explain())
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Template {
    /// The names that a file may have, the best first.
    pub(super) fn names(&self, naming: &Naming, ending: &str) -> impl Iterator<Item = String> {
        let start = Timestamp::from_microsecond(naming.start.0)
            .unwrap_or_default()
            .to_zoned(TimeZone::system());
        let filled = self
            .0
            .replace("{date}", &start.strftime("%Y-%m-%d").to_string())
            .replace("{time}", &start.strftime("%H-%M-%S").to_string())
            .replace("{channel}", &clean(&naming.channel));
        // The name comes last: braces in it are its own.
        let numbers = if filled.contains("{n}") {
            NUMBER_MAX
        } else {
            1
        };
        let name = clean(&naming.name);
        let ending = ending.to_owned();
        (1..=numbers).map(move |number| {
            let stem = filled
                .replace("{n}", &number.to_string())
                .replace("{name}", &name);
            format!("{}.{ending}", finish(&stem))
        })
    }
}

/// Reserved by Windows, or by the paths of some system, or not to be seen.
fn is_safe(c: char) -> bool {
    let turns_text = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !turns_text && !"<>:\"/\\|?*".contains(c)
}

/// What people typed, as a part of a file's name.
fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    for c in text.trim().chars() {
        let c = if is_safe(c) { c } else { '-' };
        if cleaned.len() + c.len_utf8() > NAME_MAX {
            break;
        }
        cleaned.push(c);
    }
    cleaned.trim().to_owned()
}

/// Places that stayed empty leave no gaps, and no system takes it for something else.
fn finish(stem: &str) -> String {
    let mut whole = String::new();
    for c in stem.chars() {
        if !(c == '_' && whole.ends_with('_')) {
            whole.push(c);
        }
    }
    let whole = whole.trim_matches(['_', ' ', '.']);
    // Windows takes CON, and CON with any ending, for the console.
    let device = whole.split('.').next().unwrap_or_default().trim_end();
    let is_device =
        DEVICES.iter().any(|name| name.eq_ignore_ascii_case(device)) || numbered_device(device);
    let guard = if whole.is_empty() || is_device || whole.starts_with('-') {
        "_"
    } else {
        ""
    };
    format!("{guard}{whole}")
}

const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// COM1 to COM9 and LPT1 to LPT9, in superscript digits too.
fn numbered_device(stem: &str) -> bool {
    let mut chars = stem.chars();
    let kind: String = chars.by_ref().take(3).collect();
    let number: Vec<char> = chars.collect();
    ["COM", "LPT"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(&kind))
        && matches!(&number[..], ['0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A check that needs no system: it is one part of a path, and every system takes it.
    fn is_portable(name: &str) -> bool {
        let stem = name.split('.').next().unwrap_or_default().trim_end();
        let devices = ["CON", "PRN", "AUX", "NUL", "COM1", "LPT9"];
        !name.is_empty()
            && name.len() <= 250
            && !name.ends_with(['.', ' '])
            && !name.starts_with(['.', '-', ' '])
            && !name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|'])
            && !name.chars().any(char::is_control)
            && !devices
                .into_iter()
                .any(|device| device.eq_ignore_ascii_case(stem))
    }

    fn first(template: &str, name: &str) -> String {
        let naming = Naming {
            channel: "main".to_owned(),
            name: name.to_owned(),
            start: Wall(0),
        };
        let template: Template = template.parse().expect("a template");
        template.names(&naming, "mp4").next().expect("a name")
    }

    #[test]
    fn places_are_filled_and_leave_no_gaps() {
        assert_eq!(first("{channel}_{name}_{n}", "goal"), "main_goal_1.mp4");
        assert_eq!(first("{channel}_{name}_{n}", ""), "main_1.mp4");
        assert_eq!(first("{name} of {channel}", "{n}"), "{n} of main.mp4");
        let date = first("{date}_{time}", "");
        let digits: String = date
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(digits, "0000-00-00_00-00-00.mp0");
        assert!(Template::default().0.parse::<Template>().is_ok());
    }

    #[test]
    fn names_that_systems_misunderstand() {
        for (name, expected) in [
            ("CON", "_CON.mp4"),
            ("nul.txt", "_nul.txt.mp4"),
            ("com1", "_com1.mp4"),
            ("LPT\u{b2}", "_LPT\u{b2}.mp4"),
            ("COM10", "COM10.mp4"),
            ("console", "console.mp4"),
            ("../../etc/passwd", "-..-etc-passwd.mp4"),
            ("C:\\x", "C--x.mp4"),
            ("a\0b\nc", "a-b-c.mp4"),
            ("dots...", "dots.mp4"),
            (".hidden", "hidden.mp4"),
            ("-rf", "_-rf.mp4"),
            ("", "_.mp4"),
            ("a\u{202e}b", "a-b.mp4"),
            ("Größe 1", "Größe 1.mp4"),
        ] {
            let expected = expected.replace("-..-etc", "_-..-etc");
            assert_eq!(first("{name}", name), expected, "{name:?}");
        }
        assert!(first("{name}", &"ä".repeat(10_000)).len() < 110);
    }

    #[test]
    fn templates_name_files_and_no_folders() {
        for template in [
            "",
            "x",
            "{n}",
            "a/{name}",
            "..\\{name}",
            "{name}{colour}",
            "{name",
            "{name}:",
        ] {
            let error = template.parse::<Template>().expect_err(template);
            assert!(error.contains("{date}"), "{error}");
        }
        assert!(
            format!("{{name}}{}", "x".repeat(100))
                .parse::<Template>()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn any_name_gives_a_file_that_every_system_takes(name in any::<String>(), number in 0usize..40) {
            let naming = Naming { channel: "main".to_owned(), name, start: Wall(1_777_660_200_000_000) };
            for template in ["{name}", "{name}_{n}", DEFAULT, "{n}.{name}"] {
                let template: Template = template.parse().expect("a template");
                let name = template.names(&naming, "mp4").nth(number);
                prop_assert!(name.as_deref().is_none_or(is_portable), "{:?}", name);
            }
        }
    }
}
