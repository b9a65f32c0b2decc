//! What is known of the MP4s of clips.
//!
//! What an MP4 is made of is found out with its first request, which takes a look at every byte of the clip,
//! and kept for the next ones: a player that seeks sends many.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lookback_mp4::{Error, Mp4, Plan};
use lookback_mpegts::Ticks;
use lookback_replay::Clip;
use tokio::sync::OnceCell;
use tokio::task;

use super::problem::Problem;

/// The plans of the MP4s that were asked for, those asked for last behind.
#[derive(Default)]
pub(crate) struct Plans(Mutex<Vec<Kept>>);

struct Kept {
    clip: Weak<Clip>,
    shown: Vec<Range<Ticks>>,
    is_uncut: bool,
    plan: Arc<OnceCell<Arc<Plan>>>,
}

/// Plans that are kept: more than there are players at a time.
const PLANS_MAX: usize = 64;

impl Plans {
    /// The MP4 of a clip, of which this is shown, or all that has to be in it for that. Those who ask at the same time wait for the same look at it.
    pub(super) async fn mp4(
        &self,
        clip: &Arc<Clip>,
        shown: &[Range<Ticks>],
        is_uncut: bool,
    ) -> Result<Mp4, Problem> {
        let cell = self.cell(clip, shown, is_uncut);
        let plan = cell
            .get_or_try_init(|| async {
                let (clip, shown) = (Arc::clone(clip), shown.to_vec());
                let make = if is_uncut { Mp4::uncut } else { Mp4::new };
                let made = task::spawn_blocking(move || make(&clip, &shown)).await;
                let mp4 = made.map_err(|_| Problem::mp4_fault())??;
                Ok::<_, Problem>(Arc::clone(mp4.plan()))
            })
            .await?;
        Mp4::of(clip, plan).ok_or_else(Problem::mp4_fault)
    }

    /// Lets go of the plans of clips that are gone.
    pub(crate) fn expire(&self) {
        self.lock().retain(|kept| kept.clip.strong_count() > 0);
    }

    fn cell(
        &self,
        clip: &Arc<Clip>,
        shown: &[Range<Ticks>],
        is_uncut: bool,
    ) -> Arc<OnceCell<Arc<Plan>>> {
        self.expire();
        let mut all = self.lock();
        let known = all.iter().position(|kept| {
            let is_of_clip = std::ptr::eq(kept.clip.as_ptr(), Arc::as_ptr(clip));
            is_of_clip && kept.shown == shown && kept.is_uncut == is_uncut
        });
        let kept = match known {
            Some(at) => all.remove(at),
            None => Kept {
                clip: Arc::downgrade(clip),
                shown: shown.to_vec(),
                is_uncut,
                plan: Arc::default(),
            },
        };
        let plan = Arc::clone(&kept.plan);
        all.push(kept);
        if all.len() > PLANS_MAX {
            all.remove(0);
        }
        plan
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Gone(gone) => gone.into(),
            Error::Unsupported(_) => {
                Self::unprocessable("unsupported_codec", format!("{error}: take the .ts"))
            }
            _ => Self::unprocessable("empty_span", error.to_string()),
        }
    }
}
