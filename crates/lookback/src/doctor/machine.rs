//! What lookback stands on: memory, the clock, and the disk of the library.

use std::fs::File;
use std::path::Path;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::finding::Finding;
use crate::clock;
use crate::http::Status;
use crate::programs;
use crate::settings::Size;
use crate::time::rfc3339;

/// What lookback may take of the memory, and what of that it has taken already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
}

impl From<Size> for Budget {
    fn from(limit: Size) -> Self {
        Self {
            limit: limit.0,
            used: 0,
        }
    }
}

impl From<&Status> for Budget {
    fn from(status: &Status) -> Self {
        Self {
            limit: status.memory.limit_bytes as u64,
            used: status.memory.used_bytes as u64,
        }
    }
}

/// The memory of this machine, or of the container that we run in.
#[derive(Clone, Copy, Debug)]
struct Memory {
    installed: u64,
    free: u64,
    free_swap: u64,
}

/// Whether the budget fits into what is free.
pub(super) fn memory(budget: Budget) -> Finding {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    match System::new_with_specifics(what) {
        Ok(system) => memory_judged(budget, memory_of(&system)),
        Err(error) => Finding::warning(
            "memory",
            format!("this system does not tell how much there is ({error})"),
            "choose --memory so that OBS and lookback fit beside each other",
        ),
    }
}

fn memory_of(system: &System) -> Memory {
    let container = system.cgroup_limits().filter(|it| it.total_memory > 0);
    let (installed, free) = container.map_or((u64::MAX, u64::MAX), |container| {
        (container.total_memory, container.free_memory)
    });
    Memory {
        installed: installed.min(system.total_memory()),
        free: free.min(system.available_memory()),
        free_swap: system.free_swap(),
    }
}

fn memory_judged(budget: Budget, memory: Memory) -> Finding {
    let title = "memory";
    let wanted = budget.limit.saturating_sub(budget.used);
    let [limit, installed, free, wanted_shown, swap] = [
        budget.limit,
        memory.installed,
        memory.free,
        wanted,
        memory.free_swap,
    ]
    .map(mebibytes);
    let advice = || {
        let fits = mebibytes(memory.free.saturating_add(budget.used) / 2);
        format!("close other programs, or start lookback with less: --memory {fits}")
    };
    if budget.limit >= memory.installed {
        let detail = format!("lookback may take {limit}, and there are {installed} in all");
        Finding::bad(title, detail, advice())
    } else if wanted <= memory.free {
        let detail = format!("lookback may take {wanted_shown} more, and {free} are free");
        Finding::good(title, detail)
    } else if wanted <= memory.free.saturating_add(memory.free_swap) {
        let detail = format!(
            "lookback may take {wanted_shown} more, and {free} are free: the rest would be swapped to disk"
        );
        Finding::warning(title, detail, advice())
    } else {
        let detail = format!(
            "lookback may take {wanted_shown} more, and only {free} and {swap} of swap are free"
        );
        Finding::bad(title, detail, advice())
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{}MiB", bytes >> 20)
}

/// Whether the system keeps its clock right, where it says so: moments are named by the time of day.
pub(super) async fn clock() -> Option<Finding> {
    let told = programs::said(
        "timedatectl".as_ref(),
        &["show", "--property=NTPSynchronized"],
    );
    let told = told.await.ok()?;
    clock_judged(&told, &rfc3339(clock::now()))
}

fn clock_judged(told: &str, now: &str) -> Option<Finding> {
    match told.trim() {
        "NTPSynchronized=yes" => Some(Finding::good(
            "clock",
            format!("it is {now}, by a time server"),
        )),
        "NTPSynchronized=no" => Some(Finding::warning(
            "clock",
            format!("it is {now}, by no time server: moments may be off, and the clock may jump"),
            "timedatectl set-ntp true",
        )),
        _ => None,
    }
}

/// Below this a folder for video is as good as full.
const SPACE_MIN: u64 = 1 << 30;

/// Whether exports can be written.
pub(super) fn library(folder: Option<&Path>) -> Finding {
    let title = "library";
    let Some(folder) = folder else {
        return Finding::good(title, "none: nothing is written to a disk");
    };
    let shown = folder.display();
    if !folder.is_dir() {
        return Finding::warning(
            title,
            format!("{shown} is no folder"),
            "lookback makes it when it starts, or says why it cannot",
        );
    }
    // A file without a name, or with one of its own that goes again.
    if let Err(error) = probe(folder) {
        return Finding::bad(
            title,
            format!("{shown} cannot be written to: {error}"),
            "give this user the right to write there, or name another folder with --library",
        );
    }
    space_judged(folder, free_space(folder))
}

fn probe(folder: &Path) -> std::io::Result<()> {
    let file = folder.join(format!(".lookback-doctor-{}", std::process::id()));
    File::create_new(&file)?;
    std::fs::remove_file(file)
}

/// What is free on the disk that the folder lies on. Only that disk is asked: another may be one of a
/// network, and not answer.
#[cfg(unix)]
fn free_space(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// What is free on the disk that the folder lies on.
#[cfg(windows)]
fn free_space(folder: &Path) -> Option<u64> {
    let folder = folder.canonicalize().ok()?;
    // Which begins with `\\?\`, as no name of a disk does.
    let folder = Path::new(folder.to_str()?.trim_start_matches(r"\\?\")).to_owned();
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let under = disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()));
    let closest = under.max_by_key(|disk| disk.mount_point().components().count())?;
    Some(closest.available_space())
}

fn space_judged(folder: &Path, free: Option<u64>) -> Finding {
    let title = "library";
    let shown = folder.display();
    match free {
        None => Finding::good(title, format!("{shown} can be written to")),
        Some(free) if free >= SPACE_MIN => {
            let free = free >> 30;
            Finding::good(
                title,
                format!("{shown} can be written to, {free} GiB are free"),
            )
        }
        Some(free) => Finding::warning(
            title,
            format!("{shown} has only {} left", mebibytes(free)),
            "make room there, or name another folder with --library",
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::finding::Verdict::{Bad, Good, Warning};
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn memory_is_free_or_swapped_or_short() {
        let machine = |free, free_swap| Memory {
            installed: 8 * GIB,
            free,
            free_swap,
        };
        for (limit, used, memory, verdict) in [
            (GIB, 0, machine(2 * GIB, 0), Good),
            (GIB, GIB, machine(0, 0), Good),
            (3 * GIB, 2 * GIB, machine(GIB, 0), Good),
            (3 * GIB, 0, machine(2 * GIB, 2 * GIB), Warning),
            (3 * GIB, 0, machine(2 * GIB, 0), Bad),
            (8 * GIB, 0, machine(8 * GIB, 8 * GIB), Bad),
        ] {
            let finding = memory_judged(Budget { limit, used }, memory);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
        }
        let short = memory_judged(
            Budget {
                limit: 4 * GIB,
                used: 0,
            },
            machine(2 * GIB, 0),
        );
        assert!(
            short
                .advice
                .is_some_and(|it| it.ends_with("--memory 1024MiB")),
            "half of what is free"
        );
    }

    #[test]
    fn memory_of_this_machine_is_told() {
        let finding = memory(Budget { limit: 0, used: 0 });
        assert_eq!(finding.verdict, Good, "{finding:?}");
        assert!(!finding.detail.contains(" 0MiB are free"), "{finding:?}");
    }

    #[test]
    fn clock_is_right_or_not_or_unknown() {
        let judge = |told| clock_judged(told, "2026-11-22T20:15:00Z").map(|it| it.verdict);
        assert_eq!(judge("NTPSynchronized=yes\n"), Some(Good));
        assert_eq!(judge("NTPSynchronized=no\n"), Some(Warning));
        assert_eq!(judge("Failed to connect to bus"), None);
    }

    #[test]
    fn library_can_be_written_to_or_not() {
        assert_eq!(library(None).verdict, Good);
        let folder = tempfile::tempdir().expect("a folder");
        let finding = library(Some(folder.path()));
        assert_ne!(finding.verdict, Bad, "{finding:?}");
        let left = folder.path().read_dir().expect("a folder").count();
        assert_eq!(left, 0, "nothing is left there");
        assert_eq!(library(Some(&folder.path().join("none"))).verdict, Warning);
        assert_eq!(space_judged(folder.path(), Some(2 * GIB)).verdict, Good);
        assert_eq!(space_judged(folder.path(), Some(GIB / 2)).verdict, Warning);
        assert_eq!(space_judged(folder.path(), None).verdict, Good);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_takes_no_files_is_bad() {
        // Nobody makes files there, not even root.
        assert_eq!(library(Some(Path::new("/proc"))).verdict, Bad);
    }

    proptest! {
        #[test]
        fn more_free_memory_never_makes_it_worse(limit: u64, used: u64, free: u64, more: u64, swap: u64) {
            let rank = |free| {
                let memory = Memory { installed: u64::MAX, free, free_swap: swap };
                match memory_judged(Budget { limit, used }, memory).verdict {
                    Good => 0,
                    Warning => 1,
                    Bad => 2,
                }
            };
            prop_assert!(rank(free.saturating_add(more)) <= rank(free));
        }
    }
}
