//! The ways by which the recording of OBS comes in: this system's pipe, and a port beside it.

use std::path::Path;

use super::finding::Finding;
use super::server::occupy;
use crate::source::TCP_DEFAULT;

const TITLE: &str = "pipe for OBS";

/// What there is where the pipe belongs.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Pipe {
    Missing,
    /// It is there. Who reads it, where that can be told.
    There {
        readers: Option<Vec<String>>,
    },
    /// A file that OBS has written when nobody had made a pipe.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "pipes are not among the files there")
    )]
    File,
    /// A pipe that others than this user may read or write, or that is somebody else's.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "who may is looked at when it is opened")
    )]
    Open {
        why: &'static str,
    },
}

/// This system's pipe. Nothing is opened: that would let OBS believe that somebody reads.
/// None where the system does not tell.
pub(super) fn pipe(path: &Path, runs: bool) -> Option<Finding> {
    Some(judge(path, &look(path)?, runs))
}

/// The port beside the pipe, while no lookback has it.
pub(super) fn port() -> Finding {
    let address = TCP_DEFAULT.trim_start_matches("tcp://");
    let endpoint = address.parse().expect("an address and a port");
    port_judged(occupy(&endpoint).is_ok())
}

fn port_judged(is_free: bool) -> Finding {
    let title = "port for OBS";
    match is_free {
        true => Finding::good(title, format!("{TCP_DEFAULT} is free")),
        false => Finding::warning(
            title,
            format!("another program listens at {TCP_DEFAULT}"),
            "record into the pipe, or start lookback with another: --input tcp://127.0.0.1:1700",
        ),
    }
}

fn judge(path: &Path, found: &Pipe, runs: bool) -> Finding {
    let path = path.display();
    let ours = |readers: &[String]| {
        let mut names = readers.iter();
        names.any(|name| name.starts_with("lookback"))
    };
    match found {
        Pipe::Missing if runs => Finding::bad(
            TITLE,
            format!("{path} is gone, though lookback runs: OBS makes a file there"),
            "start lookback again, and only then the recording",
        ),
        Pipe::Missing => Finding::good(TITLE, format!("lookback makes {path} when it starts")),
        Pipe::File => Finding::bad(
            TITLE,
            format!("{path} is a file: OBS has recorded while no lookback was there"),
            format!("stop the recording, remove {path}, and start lookback before OBS records"),
        ),
        Pipe::Open { why } => Finding::bad(
            TITLE,
            format!("{path} {why}"),
            "remove it: lookback makes one that is this user's alone",
        ),
        Pipe::There { readers: None } if runs => Finding::good(TITLE, format!("{path} is there")),
        Pipe::There { readers: None } => Finding::bad(
            TITLE,
            format!("{path} is there, though no lookback answers"),
            "stop the program that has it, or name the lookback that has it with --server",
        ),
        Pipe::There {
            readers: Some(readers),
        } if ours(readers) => {
            Finding::good(TITLE, format!("{path} is read by {}", readers.join(", ")))
        }
        Pipe::There {
            readers: Some(readers),
        } if readers.is_empty() => Finding::warning(
            TITLE,
            format!("nobody reads {path}: OBS stands still when it records there"),
            "start lookback before OBS records",
        ),
        Pipe::There {
            readers: Some(readers),
        } => Finding::bad(
            TITLE,
            format!(
                "{path} is read by {}, which takes the video away",
                readers.join(", ")
            ),
            "stop that program",
        ),
    }
}

#[cfg(unix)]
fn look(path: &Path) -> Option<Pipe> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    let Ok(found) = path.metadata() else {
        return Some(Pipe::Missing);
    };
    let is_ours = found.uid() == rustix::process::geteuid().as_raw();
    Some(if !found.file_type().is_fifo() {
        Pipe::File
    } else if !is_ours {
        Pipe::Open {
            why: "belongs to another user",
        }
    } else if found.mode() & 0o077 != 0 {
        Pipe::Open {
            why: "is open to other users",
        }
    } else {
        Pipe::There {
            readers: readers(path),
        }
    })
}

#[cfg(windows)]
fn look(path: &Path) -> Option<Pipe> {
    // All pipes are listed there, and to look at one is no connection to it. There always are some.
    let mut names = std::fs::read_dir(r"\\.\pipe\")
        .ok()?
        .flatten()
        .map(|pipe| pipe.file_name())
        .peekable();
    names.peek()?;
    Some(match names.any(|name| Some(&*name) == path.file_name()) {
        true => Pipe::There { readers: None },
        false => Pipe::Missing,
    })
}

/// The programs of this user that have the FIFO open for reading.
#[cfg(target_os = "linux")]
fn readers(path: &Path) -> Option<Vec<String>> {
    let path = path.canonicalize().ok()?;
    let mut names = Vec::new();
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        if !id.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let process = process.path();
        // Those of other users, and those that end meanwhile, do not tell.
        let Ok(open) = std::fs::read_dir(process.join("fd")) else {
            continue;
        };
        let reads = open.flatten().any(|file| {
            let info = process.join("fdinfo").join(file.file_name());
            std::fs::read_link(file.path()).is_ok_and(|target| target == path)
                && std::fs::read_to_string(info).is_ok_and(|info| is_reading(&info))
        });
        if reads {
            let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
            names.push(format!("{} ({id})", name.trim()));
        }
    }
    Some(names)
}

/// Elsewhere there is no list of open files without a program that makes one.
#[cfg(all(unix, not(target_os = "linux")))]
fn readers(_: &Path) -> Option<Vec<String>> {
    None
}

/// Whether a file was opened for reading: the flags, in octal, end with `O_ACCMODE`.
#[cfg(target_os = "linux")]
fn is_reading(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 3 != 1)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Bad, Good, Warning};
    use super::*;

    fn there(readers: &[&str]) -> Pipe {
        Pipe::There {
            readers: Some(readers.iter().map(|&name| name.to_owned()).collect()),
        }
    }

    #[test]
    fn pipe_is_good_when_lookback_reads_it_or_will() {
        let unknown = Pipe::There { readers: None };
        let open = Pipe::Open {
            why: "belongs to another user",
        };
        for (found, runs, verdict) in [
            (Pipe::Missing, false, Good),
            (Pipe::Missing, true, Bad),
            (there(&["lookback (12)"]), true, Good),
            (there(&[]), true, Warning),
            (there(&[]), false, Warning),
            (there(&["cat (7)"]), true, Bad),
            (unknown.clone(), true, Good),
            (unknown, false, Bad),
            (Pipe::File, true, Bad),
            (open, false, Bad),
        ] {
            let finding = judge(Path::new("obs.ts"), &found, runs);
            assert_eq!(finding.verdict, verdict, "{found:?}: {finding:?}");
            assert!(finding.detail.contains("obs.ts"), "{finding:?}");
        }
    }

    #[test]
    fn port_may_be_somebody_elses() {
        assert_eq!(port_judged(true).verdict, Good);
        assert_eq!(port_judged(false).verdict, Warning);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_fifo_is_looked_at_without_being_opened() {
        use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("obs.ts");
        assert_eq!(look(&path), Some(Pipe::Missing));
        std::fs::write(&path, "video").expect("a file");
        assert_eq!(look(&path), Some(Pipe::File));
        std::fs::remove_file(&path).expect("it is there");
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &path, FileType::Fifo, mode, 0).expect("a FIFO");
        assert_eq!(look(&path), Some(there(&[])));
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let reader = open(&path, flags, Mode::empty()).expect("it can be read");
        let Some(Pipe::There {
            readers: Some(readers),
        }) = look(&path)
        else {
            panic!("no FIFO")
        };
        let us = format!("({})", std::process::id());
        assert!(
            matches!(&readers[..], [one] if one.ends_with(&us)),
            "{readers:?}"
        );
        drop(reader);
        let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o622);
        std::fs::set_permissions(&path, open_to_all).expect("it is ours");
        assert!(matches!(look(&path), Some(Pipe::Open { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn writers_are_not_readers() {
        for (flags, reads) in [("0100000", true), ("0100001", false), ("0100002", true)] {
            let info = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t15\n");
            assert_eq!(is_reading(&info), reads, "{flags}");
        }
        assert!(!is_reading("pos:\t0\n"));
    }
}
