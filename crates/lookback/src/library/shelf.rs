//! What lies in the library: read from the folder each time, so that it is what is there now.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path};

use serde_json::{Map, Value};

use super::Library;

/// A file of the library, and what lies beside it.
pub(crate) struct Entry {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    /// What is known of it.
    pub(crate) about: Map<String, Value>,
}

/// Why a file of the library cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRead {
    /// There is no such file.
    #[error("there is no {0} in the library")]
    Unknown(String),
    /// The system does not give it.
    #[error("{0} cannot be read: {1}")]
    Failed(String, io::Error),
}

/// What lies beside a file is at most so long.
const ABOUT_MAX: u64 = 64 << 10;

impl Library {
    /// All files that something is known of, the newest first. It waits for the disk.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.folder)? {
            let name = found?.file_name();
            let file = name.to_str().and_then(|name| name.strip_suffix(".json"));
            entries.extend(file.and_then(|file| self.entry(file)));
        }
        let start = |entry: &Entry| entry.about["start"].as_str().map(str::to_owned);
        entries.sort_by(|a, b| (start(b), &b.file).cmp(&(start(a), &a.file)));
        Ok(entries)
    }

    /// A file, and what is known of it. It waits for the disk.
    pub(crate) fn find(&self, file: &str) -> Result<(Entry, File), NotRead> {
        let unknown = || NotRead::Unknown(file.to_owned());
        let entry = self.entry(file).ok_or_else(unknown)?;
        let opened = File::open(self.folder.join(file));
        let opened = opened.map_err(|error| NotRead::Failed(file.to_owned(), error))?;
        Ok((entry, opened))
    }

    fn entry(&self, file: &str) -> Option<Entry> {
        // A name, and no path to elsewhere.
        let mut parts = Path::new(file).components();
        let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
            return None;
        };
        let video = fs::metadata(self.folder.join(file)).ok()?;
        let mut text = String::new();
        let beside = File::open(self.folder.join(format!("{file}.json"))).ok()?;
        beside.take(ABOUT_MAX).read_to_string(&mut text).ok()?;
        let about: Map<String, Value> = serde_json::from_str(&text).ok()?;
        (video.is_file() && about.contains_key("start")).then(|| Entry {
            file: file.to_owned(),
            bytes: video.len(),
            about,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_listed_and_nothing_else_is_reached() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("library");
        let library = Library::open(&folder, Default::default()).expect("it is made");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        for (name, start) in [("old.ts", "2026-05-01"), ("new.mp4", "2026-06-01")] {
            write(name, "video");
            write(
                &format!("{name}.json"),
                &format!(r#"{{"start": "{start}"}}"#),
            );
        }
        write("alone.ts", "video");
        write("gone.ts.json", r#"{"start": "2026-07-01"}"#);
        for (name, about) in [("broken.ts", "{"), ("other.ts", "{}"), ("list.ts", "[]")] {
            write(name, "video");
            write(&format!("{name}.json"), about);
        }
        fs::write(outer.path().join("x.ts"), "video").expect("a file");
        fs::write(outer.path().join("x.ts.json"), r#"{"start": ""}"#).expect("a file");
        let files = || {
            let entries = library.entries().expect("it is readable").into_iter();
            entries.map(|entry| entry.file).collect::<Vec<_>>()
        };
        assert_eq!(files(), ["new.mp4", "old.ts"]);
        let (found, mut file) = library.find("old.ts").expect("it is there");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("it is readable");
        assert_eq!((found.bytes, &*text), (5, "video"));
        for file in ["../x.ts", "gone.ts", "alone.ts", "broken.ts", ".", "..", ""] {
            let refused = library.find(file).map(|(entry, _)| entry.file);
            assert!(matches!(refused, Err(NotRead::Unknown(_))), "{file}");
        }
        fs::remove_file(folder.join("new.mp4")).expect("it was there");
        assert_eq!(files(), ["old.ts"]);
    }
}
