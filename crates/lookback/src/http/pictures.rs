//! Small pictures for pages: made by one ffmpeg at a time, and kept as long as there is room.
//!
//! A page shows many of them, again and again: those asked for last stay, in a small part of the memory, of which
//! they are counted. What waits for ffmpeg when it is free is made in one go, as far as it is of one channel. Who
//! does not wait any more is not thought of. The segments of previews are kept and made one at a time in the same way.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use lookback_replay::{Clip, Gone};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncGuard};

use super::App;
use super::body::Stored;
use super::problem::Problem;

/// For all that are kept: hundreds, but no more than this part of the memory.
const BYTES_MAX: usize = 16 << 20;
const SHARE_OF_MEMORY: usize = 32;
/// Keyframes that are given to one ffmpeg: half a second of work.
const BATCH_MAX: usize = 32;

/// See the module's documentation.
pub(super) struct Pictures {
    /// In all tags, since places in channels come again in the next process.
    id: u64,
    bytes_max: usize,
    /// Those asked for last behind.
    kept: Mutex<VecDeque<(Key, Arc<Bytes>)>>,
    /// Those that are waited for.
    wishes: Mutex<Vec<Wish>>,
    making: AsyncMutex<()>,
}

/// Which picture it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Key {
    /// The clip, or the channel.
    pub(super) of: String,
    /// The place in it.
    pub(super) at: i64,
    /// Points from left to right at most.
    pub(super) width: u32,
}

/// A keyframe of which a picture is wanted.
struct Wish {
    key: Key,
    clip: Arc<Clip>,
}

/// Takes a wish back when nobody waits any more.
struct Waiting<'a> {
    pictures: &'a Pictures,
    key: Key,
}

impl Pictures {
    pub(super) fn new(memory: usize) -> Self {
        Self {
            id: RandomState::new().hash_one("pictures"),
            bytes_max: BYTES_MAX.min(memory / SHARE_OF_MEMORY),
            kept: Mutex::default(),
            wishes: Mutex::default(),
            making: AsyncMutex::default(),
        }
    }

    /// The entity tag of a picture, in quotes.
    pub(super) fn tag(&self, key: &Key) -> String {
        format!("\"{}-{}-{}-{:x}\"", key.of, key.at, key.width, self.id)
    }

    /// One that is known, or that is made when nothing else is being made.
    pub(super) async fn picture<M>(
        &self,
        key: Key,
        clip: &Arc<Clip>,
        make: impl FnOnce() -> M,
    ) -> Result<Arc<Bytes>, Problem>
    where
        M: Future<Output = Result<Bytes, Problem>>,
    {
        match self.known_or_alone(&key).await {
            Ok(known) => Ok(known),
            Err(_alone) => {
                let made = make().await?;
                Ok(self.keep(key, clip, &made))
            }
        }
    }

    /// The picture of a clip that is one keyframe, made together with others that are waited for.
    pub(super) async fn of_keyframe(
        &self,
        app: &App,
        key: Key,
        clip: &Arc<Clip>,
    ) -> Result<Arc<Bytes>, Problem> {
        let _waiting = self.wish(&key, clip);
        let _alone = match self.known_or_alone(&key).await {
            Ok(known) => return Ok(known),
            Err(alone) => alone,
        };
        let (keys, clips) = self.batch(&key, clip);
        let made = app.jobs.keyframes(&clips, key.width).await?;
        let mut kept = keys
            .into_iter()
            .zip(&made)
            .map(|(key, made)| self.keep(key, clip, made));
        let first = kept.next().expect("it is never none");
        kept.for_each(drop);
        Ok(first)
    }

    /// One that is known; else the right to make it.
    async fn known_or_alone(&self, key: &Key) -> Result<Arc<Bytes>, AsyncGuard<'_, ()>> {
        if let Some(known) = self.known(key) {
            return Ok(known);
        }
        let alone = self.making.lock().await;
        // Who waited may have waited for just this one.
        self.known(key).ok_or(alone)
    }

    fn wish(&self, key: &Key, clip: &Arc<Clip>) -> Waiting<'_> {
        lock(&self.wishes).push(Wish {
            key: key.clone(),
            clip: Arc::clone(clip),
        });
        Waiting {
            pictures: self,
            key: key.clone(),
        }
    }

    /// This one, and what else can be made with it.
    fn batch(&self, key: &Key, clip: &Arc<Clip>) -> (Vec<Key>, Vec<Arc<Clip>>) {
        let (mut keys, mut clips) = (vec![key.clone()], vec![Arc::clone(clip)]);
        for wish in lock(&self.wishes).iter() {
            let fits = wish.key.of == key.of && wish.key.width == key.width;
            if fits && keys.len() < BATCH_MAX && !keys.contains(&wish.key) {
                keys.push(wish.key.clone());
                clips.push(Arc::clone(&wish.clip));
            }
        }
        (keys, clips)
    }

    fn known(&self, key: &Key) -> Option<Arc<Bytes>> {
        let mut kept = lock(&self.kept);
        let at = kept.iter().position(|(known, _)| known == key)?;
        let found = kept.remove(at)?;
        let picture = Arc::clone(&found.1);
        kept.push_back(found);
        Some(picture)
    }

    fn keep(&self, key: Key, clip: &Clip, made: &Bytes) -> Arc<Bytes> {
        let picture = Arc::new(clip.source().counted(made.to_vec()));
        let mut kept = lock(&self.kept);
        kept.push_back((key, Arc::clone(&picture)));
        let mut bytes: usize = kept.iter().map(|(_, picture)| picture.len()).sum();
        while bytes > self.bytes_max
            && let Some((_, oldest)) = kept.pop_front()
        {
            bytes -= oldest.len();
        }
        picture
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut wishes = lock(&self.pictures.wishes);
        if let Some(at) = wishes.iter().position(|wish| wish.key == self.key) {
            let gone = wishes.swap_remove(at);
            drop(wishes);
            // A clip that goes looks for its channel: not with the lock held.
            drop(gone);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stored for Bytes {
    type Place = ();

    fn len(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, max: usize, (): &mut ()) -> Result<Bytes, Gone> {
        let from = usize::try_from(offset).map_or(self.len(), |offset| offset.min(self.len()));
        Ok(self.slice(from..self.len().min(from.saturating_add(max))))
    }
}

#[cfg(test)]
mod tests {
    use lookback_replay::{Recorder, Selection};

    use super::*;
    use crate::clock;
    use crate::testing::{record, recorder, video};

    const MAX: usize = 4000;

    fn key(of: &str, at: i64) -> Key {
        Key {
            of: of.to_owned(),
            at,
            width: 320,
        }
    }

    fn clip(recorder: &Arc<Recorder>) -> Arc<Clip> {
        let channel = recorder.add_channel("main");
        record(&channel, &video(1.0), clock::now());
        let clip = channel.clip(Selection::All, clock::now());
        clip.expect("something is recorded")
    }

    fn pictures() -> Pictures {
        Pictures::new(MAX * SHARE_OF_MEMORY)
    }

    #[test]
    fn as_many_are_kept_as_fit_and_those_asked_for_last() {
        let recorder = recorder();
        let (pictures, clip) = (pictures(), clip(&recorder));
        let keep = |at: i64, len| {
            let made = Bytes::from(vec![0; len]);
            pictures.keep(key("main", at), &clip, &made);
        };
        let is_known = |at: i64| pictures.known(&key("main", at)).is_some();
        (0..4).for_each(|at| keep(at, MAX / 4));
        assert!(is_known(0), "all four fit");
        keep(4, MAX / 4);
        let there = (0..5).filter(|at| is_known(*at));
        assert_eq!(there.collect::<Vec<_>>(), [0, 2, 3, 4]);
        keep(5, MAX + 1);
        assert!(!is_known(5), "one alone may be too many");
    }

    #[test]
    fn who_waits_is_thought_of() {
        let recorder = recorder();
        let (pictures, clip) = (pictures(), clip(&recorder));
        let batch = |at: i64| {
            let (keys, clips) = pictures.batch(&key("main", at), &clip);
            assert_eq!(keys.len(), clips.len());
            keys.into_iter().map(|key| key.at).collect::<Vec<_>>()
        };
        let wish = |of: &str, at: i64| pictures.wish(&key(of, at), &clip);
        let (_first, second) = (wish("main", 1), wish("main", 2));
        let (_other, _twice) = (wish("other", 3), wish("main", 1));
        assert_eq!(batch(2), [2, 1]);
        drop(second);
        assert_eq!(batch(1), [1]);
        let _many: Vec<_> = (10..100).map(|at| wish("main", at)).collect();
        assert_eq!(batch(5).len(), BATCH_MAX);
    }
}
