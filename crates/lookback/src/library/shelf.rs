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
