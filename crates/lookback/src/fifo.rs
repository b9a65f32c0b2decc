//! FIFOs: named pipes in the file system, which OBS and players open like files.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::usage::Usage;

/// A FIFO that is ours to use. One that we made goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Fifo {
    path: PathBuf,
    made: bool,
}

impl Fifo {
    /// The FIFO at `path`, made if missing: for this user alone. Anything else that is there, and a
    /// FIFO of somebody else, is refused.
    pub(crate) fn at(path: &Path) -> Result<Self, Usage> {
        let shown = path.display();
        let made = match make(path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(Usage::new(format!("cannot make the FIFO {shown}: {error}"))),
        };
        let fifo = Self {
            path: path.to_owned(),
            made,
        };
        let found = fs::metadata(path)
            .map_err(|error| Usage::new(format!("cannot look at {shown}: {error}")))?;
        if !found.file_type().is_fifo() {
            return Err(Usage::new(match found.is_file() {
                true => format!(
                    "{shown} is a file, not a FIFO (OBS makes one when it records while lookback is \
                     not running): remove it, or name another path"
                ),
                false => format!("{shown} is no FIFO: name another path"),
            }));
        }
        if found.uid() != geteuid().as_raw() {
            return Err(Usage::new(format!(
                "the FIFO {shown} belongs to another user: name another path"
            )));
        }
        Ok(fifo)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        if self.made {
            // Somebody else may have tidied up before us.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder of the FIFOs that nobody named: the user's own, made if missing.
pub(crate) fn default_folder() -> Result<PathBuf, Usage> {
    let folder = usual_folder();
    private_folder(&folder)?;
    Ok(folder)
}

/// Where that folder is, whether it is there or not.
pub(crate) fn usual_folder() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    match runtime {
        Some(folder) => PathBuf::from(folder).join("lookback"),
        None => std::env::temp_dir().join(format!("lookback-{}", geteuid().as_raw())),
    }
}

/// Makes the folder, or checks that it is one that nobody else can put anything into.
fn private_folder(folder: &Path) -> Result<(), Usage> {
    let shown = folder.display();
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(Usage::new(format!(
                "cannot make the folder {shown}: {error}; name FIFOs with --input and --play-to"
            )));
        }
    }
    // Of the link itself: a link that somebody else has put there leads anywhere.
    let found = fs::symlink_metadata(folder)
        .map_err(|error| Usage::new(format!("cannot look at {shown}: {error}")))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Usage::new(format!(
        "{shown} is not a folder of your own: remove it, or name FIFOs with --input and --play-to"
    )))
}

#[cfg(not(target_vendor = "apple"))]
fn make(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, Mode, mkfifoat};
    Ok(mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR)?)
}

/// There `mkfifo` is not among the calls that have a safe wrapper; the program is part of the system.
#[cfg(target_vendor = "apple")]
fn make(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let made = std::process::Command::new("/usr/bin/mkfifo")
        .args(["-m", "600"])
        .arg(path)
        .output()?;
    match made.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&made.stderr).trim().to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_made_is_private_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("obs.ts");
        let fifo = Fifo::at(&path).expect("made");
        let found = fs::metadata(fifo.path()).expect("there");
        assert!(found.file_type().is_fifo());
        assert_eq!(found.mode() & 0o777, 0o600);
        // Found, not made: it stays when this one goes.
        drop(Fifo::at(&path).expect("found"));
        assert!(path.exists());
        drop(fifo);
        assert!(!path.exists());
    }

    #[test]
    fn anything_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("obs.ts");
        fs::write(&file, "precious").expect("a file");
        let error = Fifo::at(&file).expect_err("a file").to_string();
        assert!(
            error.contains("not a FIFO") && error.contains("obs.ts"),
            "{error}"
        );
        assert_eq!(fs::read(&file).expect("still there"), b"precious");
        let error = Fifo::at(folder.path()).expect_err("a folder").to_string();
        assert!(error.contains("is no FIFO"), "{error}");
        assert!(Fifo::at(&folder.path().join("missing/obs.ts")).is_err());
    }

    #[test]
    fn folder_must_be_closed_to_others() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("lookback");
        assert_eq!(private_folder(&own), Ok(()));
        assert_eq!(fs::metadata(&own).expect("made").mode() & 0o777, 0o700);
        assert_eq!(private_folder(&own), Ok(()));
        fs::set_permissions(&own, fs::Permissions::from_mode(0o777)).expect("ours to change");
        assert!(private_folder(&own).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).expect("a link");
        assert!(private_folder(&link).is_err());
    }
}
