//! What was made last, for all who ask for the same.
//!
//! At the live edge everybody asks for the same segments and parts within seconds. So each is made once: who comes while
//! it is made waits for that, and who comes soon after is given the same bytes.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::body::Bytes;
use lookback_mp4::{Place, Segment as Fragment};
use lookback_replay::Gone;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::http::body::Stored;
use crate::http::problem::Problem;

/// How long it is kept: as long as it is new to players that load the playlist again when another segment is due.
const KEPT_FOR: Duration = Duration::from_secs(6);

/// The most that is kept of all channels together: four segments of 50 Mbit/s.
const KEPT_MAX: u64 = 48 << 20;

/// The most of the memory limit.
const SHARE_OF_MEMORY: u64 = 16;

/// A segment or a part of one.
pub(super) enum Made {
    /// Bytes in a row, each piece with where it begins. They are counted in the memory.
    Copied(Vec<(u64, Bytes)>, u64),
    /// It is too large for that, and copied piece by piece for each who reads it.
    InLog(Box<Fragment>),
}

type Cell = OnceCell<Arc<Made>>;

/// See the module's documentation.
pub(super) struct Recent {
    max: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is being made, kept, or sent.
    cells: HashMap<String, Weak<Cell>>,
    /// What is kept, and how long it is, the newest last.
    kept: VecDeque<(Arc<Cell>, u64)>,
}

impl Recent {
    pub(super) fn new(memory_limit: u64) -> Self {
        Self {
            max: KEPT_MAX.min(memory_limit / SHARE_OF_MEMORY),
            state: Mutex::default(),
        }
    }

    /// What has this name: made by somebody a moment ago, or now.
    pub(super) async fn get(
        self: &Arc<Self>,
        name: &str,
        make: impl Future<Output = Result<Made, Problem>>,
    ) -> Result<Arc<Made>, Problem> {
        let cell = self.cell(name);
        let make = async {
            let made = Arc::new(make.await?);
            self.keep(&cell, made.len());
            Ok(made)
        };
        cell.get_or_try_init(|| make).await.cloned()
    }

    fn cell(&self, name: &str) -> Arc<Cell> {
        let mut state = self.lock();
        if let Some(cell) = state.cells.get(name).and_then(Weak::upgrade) {
            return cell;
        }
        state.cells.retain(|_, cell| cell.strong_count() > 0);
        let cell = Arc::default();
        state.cells.insert(name.to_owned(), Arc::downgrade(&cell));
        cell
    }

    /// As much of a fragment in memory as may be kept.
    ///
    /// # Errors
    /// If the clip that it is made of had to be let go.
    pub(super) fn copy(&self, fragment: Fragment) -> Result<Made, Gone> {
        if fragment.len() > self.max {
            return Ok(Made::InLog(Box::new(fragment)));
        }
        let (mut pieces, mut len, mut place) = (Vec::new(), 0, Place::default());
        while len < fragment.len() {
            let piece = fragment.read(len, Fragment::FRAME_MAX, &mut place)?;
            let at = len;
            len += piece.len() as u64;
            pieces.push((at, piece));
        }
        Ok(Made::Copied(pieces, len))
    }

    /// Keeps it for a while, in the place of what is older.
    fn keep(self: &Arc<Self>, cell: &Arc<Cell>, len: u64) {
        if len > self.max {
            return;
        }
        let mut state = self.lock();
        let mut all = len + state.kept.iter().map(|(_, len)| len).sum::<u64>();
        while all > self.max
            && let Some((_, len)) = state.kept.pop_front()
        {
            all -= len;
        }
        state.kept.push_back((Arc::clone(cell), len));
        let (recent, cell) = (Arc::clone(self), Arc::downgrade(cell));
        tokio::spawn(async move {
            sleep(KEPT_FOR).await;
            let mut state = recent.lock();
            state
                .kept
                .retain(|(kept, _)| Arc::as_ptr(kept) != cell.as_ptr());
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stored for Made {
    const FRAME_MAX: usize = Fragment::FRAME_MAX;

    type Place = Place;

    fn len(&self) -> u64 {
        match self {
            Self::Copied(_, len) => *len,
            Self::InLog(fragment) => fragment.len(),
        }
    }

    fn read(&self, offset: u64, max: usize, place: &mut Place) -> Result<Bytes, Gone> {
        let pieces = match self {
            Self::Copied(pieces, _) => pieces,
            Self::InLog(fragment) => return fragment.read(offset, max, place),
        };
        let behind = pieces.partition_point(|(at, _)| *at <= offset);
        let Some((at, piece)) = behind.checked_sub(1).map(|at| &pieces[at]) else {
            return Ok(Bytes::new());
        };
        let from = piece.len().min((offset - at) as usize);
        let to = piece.len().min(from.saturating_add(max));
        Ok(piece.slice(from..to))
    }
}
