//! Slabs: fixed pieces of memory that are filled once, from front to back, while what is already in
//! them is being read.
//!
//! This is the only module of the crate with `unsafe` code. What makes it sound: a [`Slab`] is a
//! block of initialised bytes with a mark, `filled`, that only rises. Shared views reach up to the
//! mark; the one [`Filling`] that exists for a slab writes behind it and then raises it. The two never
//! overlap, and the mark is published with release and read with acquire ordering.
#![allow(
    unsafe_code,
    reason = "one writer fills a slab while readers read its front"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use lookback_mpegts::PACKET_LEN;

use crate::budget::Budget;

/// Bytes in a slab: whole packets, just under 256 KiB, so that with the allocator's header it takes
/// 64 pages. Small enough for a short clip to hold little more than itself, large enough for one
/// write to a socket.
pub(crate) const SLAB_LEN: usize = 1394 * PACKET_LEN;

const LAYOUT: Layout = match Layout::from_size_align(SLAB_LEN, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("a slab's size and alignment are valid"),
};

/// The memory of a slab, out of use: what the free list keeps.
pub(crate) struct Memory(NonNull<u8>);

// SAFETY: `Memory` owns its block alone; nothing about it is tied to a thread.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn new() -> Self {
        // SAFETY: the layout has a size greater than zero.
        let block = unsafe { alloc_zeroed(LAYOUT) };
        Self(NonNull::new(block).unwrap_or_else(|| handle_alloc_error(LAYOUT)))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the block came from `alloc_zeroed` with this layout and is freed only here.
        unsafe { dealloc(self.0.as_ptr(), LAYOUT) }
    }
}

/// A piece of a log. Its memory goes back to the budget when the last view of it is dropped.
pub(crate) struct Slab {
    memory: ManuallyDrop<Memory>,
    filled: AtomicUsize,
    budget: Arc<Budget>,
}

// SAFETY: shared access reads only bytes below `filled`, which never change again; the rest is
// touched by the slab's only `Filling` (see the module's documentation).
unsafe impl Sync for Slab {}

impl Slab {
    /// What has been filled so far.
    pub(crate) fn filled(&self) -> &[u8] {
        let len = self.filled.load(Ordering::Acquire);
        // SAFETY: the first `len` bytes are initialised, within the block, and not written any more.
        unsafe { slice::from_raw_parts(self.memory.0.as_ptr(), len) }
    }

    /// A view of what has been filled so far, which keeps the slab.
    pub(crate) fn view(self: &Arc<Self>) -> Bytes {
        struct View(Arc<Slab>, usize);
        impl AsRef<[u8]> for View {
            fn as_ref(&self) -> &[u8] {
                &self.0.filled()[..self.1]
            }
        }
        Bytes::from_owner(View(Arc::clone(self), self.filled().len()))
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the value is not used again after `drop`.
        let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
        self.budget.give_back(memory);
    }
}

/// The right to fill a slab.
pub(crate) struct Filling(Arc<Slab>);

impl Filling {
    pub(crate) fn new(memory: Memory, budget: Arc<Budget>) -> Self {
        Self(Arc::new(Slab {
            memory: ManuallyDrop::new(memory),
            filled: AtomicUsize::new(0),
            budget,
        }))
    }

    pub(crate) fn slab(&self) -> &Arc<Slab> {
        &self.0
    }

    /// The part not filled yet.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        let filled = self.0.filled.load(Ordering::Relaxed);
        // SAFETY: bytes from `filled` on are initialised (zeroed at first, left from earlier use
        // later), within the block, and reached by nothing but this `&mut self`.
        unsafe {
            slice::from_raw_parts_mut(self.0.memory.0.as_ptr().add(filled), SLAB_LEN - filled)
        }
    }

    /// Publishes the first `len` bytes of [`Self::spare`].
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn fill(&mut self, len: usize) {
        let filled = self.0.filled.load(Ordering::Relaxed);
        assert!(
            len <= SLAB_LEN - filled,
            "filled {len} bytes beyond the end of a slab"
        );
        self.0.filled.store(filled + len, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_show_what_was_filled_when_they_were_made() {
        let budget = Budget::new(4 * SLAB_LEN);
        let mut filling = budget.slab().expect("there is room");
        filling.spare()[..3].copy_from_slice(b"abc");
        filling.fill(3);
        let early = filling.slab().view();
        filling.spare()[..3].copy_from_slice(b"def");
        filling.fill(3);
        assert_eq!(&early[..], b"abc");
        assert_eq!(&filling.slab().view()[..], b"abcdef");
        assert_eq!(filling.spare().len(), SLAB_LEN - 6);
    }

    #[test]
    fn readers_on_other_threads_see_only_whole_published_bytes() {
        let budget = Budget::new(4 * SLAB_LEN);
        let mut filling = budget.slab().expect("there is room");
        let slab = Arc::clone(filling.slab());
        let reader = std::thread::spawn(move || {
            loop {
                let filled = slab.filled();
                assert!(
                    filled
                        .iter()
                        .enumerate()
                        .all(|(at, &byte)| byte == (at % 251) as u8 + 1)
                );
                if filled.len() == SLAB_LEN {
                    return;
                }
                std::thread::yield_now();
            }
        });
        let mut at = 0;
        while at < SLAB_LEN {
            let len = 3001.min(SLAB_LEN - at);
            for byte in &mut filling.spare()[..len] {
                *byte = (at % 251) as u8 + 1;
                at += 1;
            }
            filling.fill(len);
        }
        reader.join().expect("the reader saw only published bytes");
    }

    #[test]
    fn memory_returns_when_the_last_view_goes() {
        let budget = Budget::new(4 * SLAB_LEN);
        let filling = budget.slab().expect("there is room");
        let view = filling.slab().view();
        drop(filling);
        assert_eq!(budget.slab_bytes(), SLAB_LEN);
        drop(view);
        assert_eq!(budget.slab_bytes(), 0);
    }
}
