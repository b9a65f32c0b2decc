//! The library: the folder of `--library`, the only place where lookback writes video to a disk.
//!
//! A file is written under a name of its own that nobody looks for, synced, and only then put under the
//! name it is to have; so what has that name is whole. Nothing that is there is ever written over: the
//! name is taken first, by making a file that must not have been there. Beside each video lies
//! a file of JSON that says what it is.

mod name;
mod shelf;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

pub(crate) use self::name::{DEFAULT as NAME_DEFAULT, Naming, Template};
pub(crate) use self::shelf::{Entry, NotRead};
use crate::usage::Usage;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Library {
    folder: PathBuf,
    template: Template,
}

/// Why something is not in the library. What was to be saved is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSaved {
    /// No room.
    #[error("the disk of the library is full: {0}")]
    DiskFull(PathBuf),
    /// Not there any more.
    #[error("the library's folder has gone: {0}")]
    FolderGone(PathBuf),
    /// May not be written to.
    #[error("the library's folder may not be written to: {0}")]
    Forbidden(PathBuf),
    /// Somebody has it.
    #[error(
        "there is a {0} in the library already; choose another name, or {{n}} in --library-name"
    )]
    NameTaken(String),
    /// What else the system says.
    #[error("the library cannot be written: {0}")]
    Other(io::Error),
}

impl NotSaved {
    /// A word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::DiskFull(_) => "disk_full",
            Self::FolderGone(_) => "library_gone",
            Self::Forbidden(_) => "library_forbidden",
            Self::NameTaken(_) => "name_taken",
            Self::Other(_) => "library_failed",
        }
    }

    fn new(error: io::Error, folder: &Path) -> Self {
        let folder = folder.to_owned();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull(folder),
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::FolderGone(folder),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Forbidden(folder),
            _ => Self::Other(error),
        }
    }
}

impl Library {
    /// The library in this folder, which is made if it is missing: but only now, since a folder that
    /// goes later is a disk that was pulled out.
    pub(crate) fn open(folder: &Path, template: Template) -> Result<Arc<Self>, Usage> {
        let usage =
            |error: io::Error| Usage::new(format!("--library {}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(usage)?;
        let probe = hidden(folder, "start");
        File::create(&probe).map_err(usage)?;
        fs::remove_file(&probe).map_err(usage)?;
        sweep(folder);
        Ok(Arc::new(Self {
            folder: folder.to_owned(),
            template,
        }))
    }

    /// Begins to write something; `id` is nobody else's.
    pub(crate) async fn begin(self: &Arc<Self>, id: &str) -> Result<Saving, NotSaved> {
        let hidden = Hidden(hidden(&self.folder, id));
        let made = tokio::fs::File::options()
            .write(true)
            .create_new(true)
            .open(&hidden.0)
            .await;
        match made {
            Ok(file) => Ok(Saving {
                library: Arc::clone(self),
                file,
                hidden,
                len: 0,
            }),
            Err(error) => {
                // Another one's, then.
                std::mem::forget(hidden);
                Err(NotSaved::new(error, &self.folder))
            }
        }
    }
}

/// A file of the library while it is written. One that is dropped leaves nothing.
pub(crate) struct Saving {
    library: Arc<Library>,
    file: tokio::fs::File,
    hidden: Hidden,
    len: u64,
}

impl Saving {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), NotSaved> {
        let wrote = self.file.write_all(bytes).await;
        wrote.map_err(|error| NotSaved::new(error, &self.library.folder))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Gives it the name that it is to have, and puts what it is beside it. Gives the name.
    pub(crate) async fn finish(
        mut self,
        naming: Naming,
        ending: String,
        about: Value,
    ) -> Result<String, NotSaved> {
        let library = Arc::clone(&self.library);
        let flushed = self.file.flush().await;
        flushed.map_err(|error| NotSaved::new(error, &library.folder))?;
        let file = self.file.into_std().await;
        let hidden = self.hidden;
        let placed = spawn_blocking(move || {
            let synced = file.sync_all();
            // Systems differ on whether what is open can be renamed.
            drop(file);
            let placed = synced.and_then(|()| library.place(&hidden, &naming, &ending, &about));
            placed.map_err(|error| (error, library))
        });
        match placed.await {
            Ok(Ok(Placed::As(name))) => Ok(name),
            Ok(Ok(Placed::Taken(name))) => Err(NotSaved::NameTaken(name)),
            Ok(Err((error, library))) => Err(NotSaved::new(error, &library.folder)),
            Err(error) => Err(NotSaved::Other(io::Error::other(error))),
        }
    }
}

impl Library {
    fn place(
        &self,
        hidden_video: &Hidden,
        naming: &Naming,
        ending: &str,
        about: &Value,
    ) -> io::Result<Placed> {
        let beside = Hidden(hidden_video.0.with_extension("json.part"));
        let mut file = File::create(&beside.0)?;
        writeln!(file, "{about:#}")?;
        file.sync_all()?;
        drop(file);
        let mut taken = String::new();
        for name in self.template.names(naming, ending) {
            let video = self.folder.join(&name);
            let json = self.folder.join(format!("{name}.json"));
            let Some(video) = Reserved::new(video)? else {
                taken = name;
                continue;
            };
            let Some(json) = Reserved::new(json)? else {
                taken = name;
                continue;
            };
            fs::rename(&hidden_video.0, &video.0)?;
            fs::rename(&beside.0, &json.0)?;
            video.keep();
            json.keep();
            self.sync()?;
            return Ok(Placed::As(name));
        }
        Ok(Placed::Taken(taken))
    }

    /// Names are on the disk only when the folder is.
    fn sync(&self) -> io::Result<()> {
        if cfg!(unix) {
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// How a file got its name.
enum Placed {
    As(String),
    /// All that it might have had are taken; this is the last of them.
    Taken(String),
}

/// A name that is ours, with nothing under it yet.
struct Reserved(PathBuf);

impl Reserved {
    /// `None` if somebody has it.
    fn new(path: PathBuf) -> io::Result<Option<Self>> {
        match File::options().write(true).create_new(true).open(&path) {
            Ok(_) => Ok(Some(Self(path))),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A file that goes with this value, unless it has another name by then.
struct Hidden(PathBuf);

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What is hidden and was not written to in so long is nobody's any more.
const LEFT_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes away what was left when a machine or a program stopped in the middle.
fn sweep(folder: &Path) {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in all {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_hidden = name.starts_with(HIDDEN_START) && name.ends_with(HIDDEN_END);
        let modified = entry.metadata().and_then(|about| about.modified());
        let age = modified.ok().and_then(|at| at.elapsed().ok());
        if is_hidden && age.is_some_and(|age| age > LEFT_OVER) {
            // The next start tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

const HIDDEN_START: &str = ".lookback-";
const HIDDEN_END: &str = ".part";

fn hidden(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{HIDDEN_START}{id}{HIDDEN_END}"))
}

#[cfg(test)]
mod tests {
    use lookback_replay::Wall;
    use serde_json::json;

    use super::*;

    fn library(template: &str) -> (tempfile::TempDir, Arc<Library>) {
        let folder = tempfile::tempdir().expect("a folder");
        let template = template.parse().expect("a template");
        let library = Library::open(&folder.path().join("deep/er"), template).expect("it is made");
        (folder, library)
    }

    fn naming(name: &str) -> Naming {
        Naming {
            channel: "main".to_owned(),
            name: name.to_owned(),
            start: Wall(1_777_660_200_000_000),
        }
    }

    async fn save(library: &Arc<Library>, id: &str, bytes: &[u8]) -> Result<String, NotSaved> {
        let mut saving = library.begin(id).await?;
        saving.write(bytes).await?;
        saving
            .finish(naming("goal"), "ts".to_owned(), json!({"name": "goal"}))
            .await
    }

    fn names(library: &Library) -> Vec<String> {
        let all = fs::read_dir(&library.folder).expect("a folder");
        let mut names: Vec<String> = all
            .map(|entry| {
                entry
                    .expect("a file")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_file_is_whole_and_has_its_story_beside_it() {
        let (_folder, library) = library("{name}_{n}");
        assert_eq!(
            save(&library, "a", b"video").await.expect("saved"),
            "goal_1.ts"
        );
        assert_eq!(names(&library), ["goal_1.ts", "goal_1.ts.json"]);
        let path = library.folder.join("goal_1.ts");
        assert_eq!(fs::read(path).expect("there"), b"video");
        let about = fs::read(library.folder.join("goal_1.ts.json")).expect("there");
        let about: Value = serde_json::from_slice(&about).expect("JSON");
        assert_eq!(about["name"], "goal");
    }

    #[tokio::test]
    async fn nothing_is_written_over() {
        let (_folder, library) = library("{name}_{n}");
        fs::write(library.folder.join("goal_1.ts"), "mine").expect("a file");
        fs::write(library.folder.join("goal_2.ts.json"), "mine").expect("a file");
        assert_eq!(
            save(&library, "a", b"video").await.expect("saved"),
            "goal_3.ts"
        );
        for mine in ["goal_1.ts", "goal_2.ts.json"] {
            let found = fs::read_to_string(library.folder.join(mine));
            assert_eq!(found.expect("there"), "mine");
        }
        assert!(
            !library.folder.join("goal_2.ts").exists(),
            "reserved in vain"
        );
    }

    #[tokio::test]
    async fn a_name_without_number_is_taken_once() {
        let (_folder, library) = library("{name}");
        assert_eq!(save(&library, "a", b"one").await.expect("saved"), "goal.ts");
        let error = save(&library, "b", b"two").await.expect_err("taken");
        assert_eq!(error.code(), "name_taken");
        assert_eq!(names(&library), ["goal.ts", "goal.ts.json"]);
        let kept = fs::read(library.folder.join("goal.ts")).expect("there");
        assert_eq!(kept, b"one");
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_nothing() {
        let (_folder, library) = library("{name}");
        let mut saving = library.begin("a").await.expect("a file");
        saving.write(b"some").await.expect("there is room");
        assert_eq!(names(&library), [".lookback-a.part"]);
        drop(saving);
        assert!(names(&library).is_empty());
    }

    #[tokio::test]
    async fn a_folder_that_goes_is_named_and_not_made_again() {
        let (_folder, library) = library("{name}");
        let mut saving = library.begin("a").await.expect("a file");
        fs::remove_dir_all(&library.folder).expect("gone");
        saving
            .write(b"some")
            .await
            .expect("the system does not mind");
        let finished = saving.finish(naming("x"), "ts".to_owned(), json!({})).await;
        assert_eq!(finished.expect_err("no folder").code(), "library_gone");
        let error = library.begin("b").await.err().expect("no folder");
        assert!(error.to_string().contains("deep"), "{error}");
        assert!(!library.folder.exists());
    }

    #[test]
    fn what_a_crash_left_goes_at_a_later_start() {
        let (_folder, library) = library("{name}");
        for (name, days) in [("old", 2), ("new", 0)] {
            let file = File::create(hidden(&library.folder, name)).expect("a file");
            let then = std::time::SystemTime::now() - days * LEFT_OVER;
            file.set_modified(then).expect("ours");
        }
        let mine = File::create(library.folder.join("old.part")).expect("a file");
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        mine.set_modified(long_ago).expect("ours");
        Library::open(&library.folder, Template::default()).expect("a folder");
        assert_eq!(names(&library), [".lookback-new.part", "old.part"]);
    }

    #[test]
    fn what_the_system_says_has_a_word() {
        for (kind, code) in [
            (ErrorKind::StorageFull, "disk_full"),
            (ErrorKind::QuotaExceeded, "disk_full"),
            (ErrorKind::NotFound, "library_gone"),
            (ErrorKind::ReadOnlyFilesystem, "library_forbidden"),
            (ErrorKind::BrokenPipe, "library_failed"),
        ] {
            assert_eq!(NotSaved::new(kind.into(), Path::new("/x")).code(), code);
        }
    }

    #[test]
    fn a_library_that_cannot_be_is_a_mistake() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "x").expect("a file");
        let error = Library::open(&file.join("library"), Template::default()).expect_err("a file");
        assert!(error.to_string().starts_with("--library"), "{error}");
    }
}
