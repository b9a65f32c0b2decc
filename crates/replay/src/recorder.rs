//! The recorder: all channels, the memory they share, the clips that are out and what was made of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::budget::{Budget, Counted};
use crate::channel::Channel;
use crate::clip::Clip;
use crate::log::Log;
use crate::product::Product;
use crate::slab::{Filling, SLAB_LEN};
use crate::wall::Wall;

/// What a recorder may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of memory for everything that grows.
    pub memory: usize,
    /// Longest window of a channel; `None`: as much as the memory holds.
    pub keep: Option<Duration>,
}

/// How the memory is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Memory {
    /// The limit.
    pub limit_bytes: usize,
    /// All that counts towards it.
    pub used_bytes: usize,
    /// Of that, what no window reaches any more but clips and readers still hold.
    pub held_bytes: usize,
    /// Of that, what is no video or sound: the index, and what clips are made of.
    pub index_bytes: usize,
}

/// See the module's documentation.
pub struct Recorder {
    budget: Arc<Budget>,
    keep: Option<Duration>,
    channels: Mutex<Vec<Arc<Channel>>>,
    clips: Mutex<Clips>,
    /// All that exist, to be let go when memory is short.
    products: Mutex<Vec<Weak<Product>>>,
    /// The slabs that they hold, and those that are being made.
    products_held: Arc<AtomicUsize>,
    /// Counts uses of clips, to know which was used last.
    uses: AtomicU64,
}

#[derive(Default)]
struct Clips {
    /// All that exist, to be let go when memory is short.
    all: Vec<Weak<Clip>>,
    by_id: HashMap<String, Kept>,
}

struct Kept {
    clip: Arc<Clip>,
    used: Wall,
}

impl Recorder {
    /// A recorder without channels.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            budget: Budget::new(limits.memory),
            keep: limits.keep,
            channels: Mutex::default(),
            clips: Mutex::default(),
            products: Mutex::default(),
            products_held: Arc::default(),
            uses: AtomicU64::new(0),
        })
    }

    /// Adds a channel, or gives the one of that name.
    pub fn add_channel(self: &Arc<Self>, name: &str) -> Arc<Channel> {
        let mut channels = lock(&self.channels);
        if let Some(known) = channels.iter().find(|channel| channel.name() == name) {
            return Arc::clone(known);
        }
        let channel = self.aside(name);
        channels.push(Arc::clone(&channel));
        channel
    }

    /// A channel that is not one of [`Self::channels`]: for what was recorded before, and comes back.
    pub fn aside(self: &Arc<Self>, name: &str) -> Arc<Channel> {
        let log = Log::new(Arc::clone(&self.budget));
        Arc::new(Channel::new(name, Arc::downgrade(self), log))
    }

    /// The channel of that name.
    pub fn channel(&self, name: &str) -> Option<Arc<Channel>> {
        lock(&self.channels)
            .iter()
            .find(|channel| channel.name() == name)
            .cloned()
    }

    /// All channels, in the order they were added.
    pub fn channels(&self) -> Vec<Arc<Channel>> {
        lock(&self.channels).clone()
    }

    /// How the memory is used.
    pub fn memory(&self) -> Memory {
        let windows: usize = self
            .channels()
            .iter()
            .map(|channel| channel.lock().log.window_slab_bytes())
            .sum();
        let (slabs, index) = (self.budget.slab_bytes(), self.budget.index_bytes());
        Memory {
            limit_bytes: self.budget.limit(),
            used_bytes: slabs + index,
            held_bytes: slabs.saturating_sub(windows),
            index_bytes: index,
        }
    }

    /// Keeps a clip under its id, until it has not been used for a while or memory runs short.
    pub fn keep_clip(&self, clip: &Arc<Clip>, now: Wall) {
        let kept = Kept {
            clip: Arc::clone(clip),
            used: now,
        };
        lock(&self.clips).by_id.insert(clip.id().to_owned(), kept);
    }

    /// The clip that was kept under this id.
    pub fn clip(&self, id: &str, now: Wall) -> Option<Arc<Clip>> {
        let mut clips = lock(&self.clips);
        let kept = clips.by_id.get_mut(id)?;
        kept.used = now;
        Some(Arc::clone(&kept.clip))
    }

    /// Lets go of kept clips that nobody reads and that were last asked for longer ago than
    /// `unused_for`.
    pub fn expire_clips(&self, now: Wall, unused_for: Duration) {
        let mut clips = lock(&self.clips);
        let expired: Vec<String> = clips
            .by_id
            .iter()
            .filter(|(_, kept)| {
                now.since(kept.used) > unused_for && Arc::strong_count(&kept.clip) == 1
            })
            .map(|(id, _)| id.clone())
            .collect();
        let gone: Vec<Kept> = expired
            .iter()
            .filter_map(|id| clips.by_id.remove(id))
            .collect();
        drop(clips);
        drop(gone);
    }

    pub(crate) fn keep(&self) -> Option<Duration> {
        self.keep
    }

    pub(crate) fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn register(&self, clip: &Arc<Clip>) {
        let mut clips = lock(&self.clips);
        clips.all.retain(|clip| clip.strong_count() > 0);
        clips.all.push(Arc::downgrade(clip));
    }

    pub(crate) fn products_held(&self) -> &Arc<AtomicUsize> {
        &self.products_held
    }

    pub(crate) fn register_product(&self, product: &Arc<Product>) {
        let mut products = lock(&self.products);
        products.retain(|product| product.strong_count() > 0);
        products.push(Arc::downgrade(product));
    }

    /// A slab for something that is made of clips, as long as what is held leaves the live windows their
    /// quarter.
    pub(crate) fn slab_for_product(&self) -> Option<Filling> {
        loop {
            if self.holds_too_much() {
                if !self.drop_held() {
                    return None;
                }
            } else if let Some(filling) = self.budget.slab() {
                return Some(filling);
            } else if !self.make_room() {
                return None;
            }
        }
    }

    /// A slab to record into. Room is made for it where there is none.
    pub(crate) fn slab(&self) -> Filling {
        loop {
            if let Some(filling) = self.budget.slab() {
                return filling;
            }
            if !self.make_room() {
                return self.budget.slab_beyond_limit();
            }
        }
    }

    /// Makes room for what has come to be used without asking for it: all but slabs.
    pub(crate) fn settle(&self) {
        while self.budget.is_exceeded() && self.make_room() {}
    }

    /// Counts memory for something beside recordings, as long as what comes back lives. Room for it is made when more
    /// is recorded.
    pub fn count(&self, bytes: usize) -> Counted {
        self.budget.count(bytes)
    }

    /// What is held may push the live windows back to a quarter of the memory; after that, what was used
    /// longest ago is let go. Otherwise the channel that reaches back furthest gives way, so that all
    /// windows begin at the same time.
    fn make_room(&self) -> bool {
        if self.holds_too_much() && self.drop_held() {
            return true;
        }
        let channels = self.channels();
        let oldest = channels
            .iter()
            .filter_map(|channel| Some((channel.oldest()?, channel)))
            .min_by_key(|(start, _)| *start);
        match oldest {
            Some((_, channel)) => channel.evict(),
            None => self.drop_held(),
        }
    }

    fn holds_too_much(&self) -> bool {
        let clips: usize = self
            .channels()
            .iter()
            .map(|channel| channel.lock().log.held_slab_bytes())
            .sum();
        let products = self.products_held.load(Ordering::Relaxed) * SLAB_LEN;
        clips + products > self.budget.limit() / 4 * 3
    }

    /// Lets go of the clip or product that was used longest ago, of those that hold what no window has.
    fn drop_held(&self) -> bool {
        let clip = self.droppable_clip();
        let products: Vec<Arc<Product>> = lock(&self.products)
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        let product = products
            .iter()
            .filter(|product| !product.is_gone())
            .min_by_key(|product| product.last_use());
        match (clip, product) {
            (clip, Some(product))
                if clip
                    .as_ref()
                    .is_none_or(|clip| product.last_use() < clip.last_use()) =>
            {
                product.revoke();
            }
            (Some(clip), _) => {
                clip.revoke();
                let kept = lock(&self.clips).by_id.remove(clip.id());
                drop(kept);
            }
            (None, _) => return false,
        }
        true
    }

    fn droppable_clip(&self) -> Option<Arc<Clip>> {
        let all: Vec<Arc<Clip>> = lock(&self.clips)
            .all
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        all.into_iter()
            .filter(|clip| clip.holds_alone())
            .min_by_key(|clip| clip.last_use())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
