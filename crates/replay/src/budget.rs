//! The one memory limit, and who uses it.
//!
//! Everything that grows is counted here: slabs from the moment they are taken until the last reader
//! lets go of them, the index, and what clips are made of. A slab that is given back is kept for the next one, so the
//! process never holds more than the limit allows and a steady recording allocates nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::slab::{Filling, Memory, SLAB_LEN};

/// A hard limit on memory, shared by all channels.
pub(crate) struct Budget {
    limit: usize,
    /// Slabs in use, whoever holds them.
    slabs: AtomicUsize,
    index_bytes: AtomicUsize,
    free: Mutex<Vec<Memory>>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            slabs: AtomicUsize::new(0),
            index_bytes: AtomicUsize::new(0),
            free: Mutex::default(),
        })
    }

    /// A slab, if the limit allows one more.
    pub(crate) fn slab(self: &Arc<Self>) -> Option<Filling> {
        let room = self.limit.saturating_sub(self.index_bytes()) / SLAB_LEN;
        self.slabs
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |slabs| {
                (slabs < room).then_some(slabs + 1)
            })
            .ok()?;
        Some(self.taken())
    }

    /// A slab in any case: recording never waits, even for readers that do not let go.
    pub(crate) fn slab_beyond_limit(self: &Arc<Self>) -> Filling {
        self.slabs.fetch_add(1, Ordering::AcqRel);
        self.taken()
    }

    fn taken(self: &Arc<Self>) -> Filling {
        let memory = self.free_list().pop().unwrap_or_else(Memory::new);
        Filling::new(memory, Arc::clone(self))
    }

    pub(crate) fn give_back(&self, memory: Memory) {
        let slabs = self.slabs.fetch_sub(1, Ordering::AcqRel) - 1;
        let mut free = self.free_list();
        if (slabs + free.len() + 1) * SLAB_LEN + self.index_bytes() <= self.limit {
            free.push(memory);
        }
    }

    /// Lets go of slabs that are kept for later, and that the limit has no room for any more.
    fn trim(&self) {
        let mut free = self.free_list();
        while !free.is_empty()
            && self.slab_bytes() + free.len() * SLAB_LEN + self.index_bytes() > self.limit
        {
            free.pop();
        }
    }

    /// A panic elsewhere leaves the list whole: it is only ever pushed to and popped from.
    fn free_list(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more is used than the limit allows.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.slab_bytes() + self.index_bytes() > self.limit
    }

    /// Counts something beside the slabs for as long as the value that comes back lives.
    pub(crate) fn count(self: &Arc<Self>, bytes: usize) -> Counted {
        self.index_grows(bytes);
        self.trim();
        Counted {
            budget: Arc::clone(self),
            bytes,
        }
    }

    pub(crate) fn index_grows(&self, bytes: usize) {
        self.index_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn index_shrinks(&self, bytes: usize) {
        self.index_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn slab_bytes(&self) -> usize {
        self.slabs.load(Ordering::Acquire) * SLAB_LEN
    }

    pub(crate) fn index_bytes(&self) -> usize {
        self.index_bytes.load(Ordering::Relaxed)
    }
}

/// Memory that is counted in the budget for as long as this value lives.
pub struct Counted {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.budget.index_shrinks(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_beyond_the_limit_and_recycles() {
        let budget = Budget::new(2 * SLAB_LEN + 100);
        let first = budget.slab().expect("room for two");
        let _second = budget.slab().expect("room for two");
        assert!(budget.slab().is_none());
        drop(first);
        assert_eq!(budget.free_list().len(), 1);
        let _third = budget.slab().expect("room again");
        assert_eq!(budget.free_list().len(), 0);
    }

    #[test]
    fn the_index_counts() {
        let budget = Budget::new(2 * SLAB_LEN + 100);
        budget.index_grows(101);
        let _first = budget.slab().expect("room for one");
        assert!(budget.slab().is_none());
        budget.index_shrinks(1);
        assert!(budget.slab().is_some());
    }

    #[test]
    fn what_is_counted_takes_the_place_of_slabs_that_are_kept() {
        let budget = Budget::new(2 * SLAB_LEN);
        let [first, second] = [budget.slab(), budget.slab()];
        drop((first, second));
        assert_eq!(budget.free_list().len(), 2);
        let _counted = budget.count(SLAB_LEN + 1);
        assert_eq!(budget.free_list().len(), 0);
    }

    #[test]
    fn what_went_beyond_the_limit_is_not_kept() {
        let budget = Budget::new(SLAB_LEN);
        let first = budget.slab().expect("room for one");
        let second = budget.slab_beyond_limit();
        drop(second);
        drop(first);
        assert_eq!(budget.free_list().len(), 1);
        assert_eq!(budget.slab_bytes(), 0);
    }
}
