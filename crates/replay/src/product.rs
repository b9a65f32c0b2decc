//! What is made of clips and kept in memory beside the recording: results of conversions.
//!
//! Their bytes lie in slabs, like those of a log, so the same budget counts them from the moment they
//! are written until the last reader lets go. They give way like clips do: when memory runs short, the
//! one that was used longest ago is let go.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::clip::Gone;
use crate::recorder::Recorder;
use crate::slab::{Filling, SLAB_LEN, Slab};

/// There is no memory for what is being made: what is held already may not grow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no memory left for it: what is held already leaves no room")]
pub struct NoRoom;

/// A product while it is made.
pub struct Draft {
    recorder: Arc<Recorder>,
    slabs: Held,
    filling: Option<Filling>,
    len: u64,
}

impl Recorder {
    /// Begins to make something that will lie in memory.
    pub fn draft(self: &Arc<Self>) -> Draft {
        Draft {
            recorder: Arc::clone(self),
            slabs: Held::new(Arc::clone(self.products_held())),
            filling: None,
            len: 0,
        }
    }
}

impl Draft {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// If there is no room for them; what was added before stays.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), NoRoom> {
        while !bytes.is_empty() {
            let filling = match &mut self.filling {
                Some(filling) => filling,
                none => {
                    let filling = self.recorder.slab_for_product().ok_or(NoRoom)?;
                    self.slabs.push(Arc::clone(filling.slab()));
                    none.insert(filling)
                }
            };
            let spare = filling.spare();
            let len = spare.len().min(bytes.len());
            spare[..len].copy_from_slice(&bytes[..len]);
            let is_full = len == spare.len();
            filling.fill(len);
            self.len += len as u64;
            bytes = &bytes[len..];
            if is_full {
                self.filling = None;
            }
        }
        Ok(())
    }

    /// Bytes so far.
    #[expect(
        clippy::len_without_is_empty,
        reason = "whether it is empty is asked of nothing but its length"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// It is complete, and never changes again.
    pub fn finish(self) -> Arc<Product> {
        let product = Arc::new(Product {
            len: self.len,
            used: AtomicU64::new(self.recorder.next_use()),
            slabs: Mutex::new(Some(self.slabs)),
            recorder: Arc::downgrade(&self.recorder),
        });
        self.recorder.register_product(&product);
        product
    }
}

/// See the module's documentation.
pub struct Product {
    len: u64,
    used: AtomicU64,
    /// None once it was let go.
    slabs: Mutex<Option<Held>>,
    recorder: Weak<Recorder>,
}

impl Product {
    /// Bytes in it.
    #[expect(
        clippy::len_without_is_empty,
        reason = "whether it is empty is asked of nothing but its length"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Up to `max` bytes from `offset` on, at least one unless `offset` is at or behind the end. They
    /// are a view, and no copy.
    ///
    /// # Errors
    /// If it had to be let go.
    pub fn read(&self, offset: u64, max: usize) -> Result<Bytes, Gone> {
        if let Some(recorder) = self.recorder.upgrade() {
            self.used.store(recorder.next_use(), Ordering::Relaxed);
        }
        let slabs = self.slabs.lock().unwrap_or_else(PoisonError::into_inner);
        let slabs = slabs.as_ref().ok_or(Gone)?;
        if offset >= self.len {
            return Ok(Bytes::new());
        }
        let (at, from) = (offset as usize / SLAB_LEN, offset as usize % SLAB_LEN);
        let view = slabs.slabs[at].view();
        Ok(view.slice(from..view.len().min(from.saturating_add(max))))
    }

    /// Whether it was let go.
    pub fn is_gone(&self) -> bool {
        self.slabs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    pub(crate) fn last_use(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Lets go of all its bytes but those that are being read. Readers are told with their next read.
    pub(crate) fn revoke(&self) {
        let slabs = self
            .slabs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(slabs);
    }
}

/// Slabs, and how many there are of all products together.
struct Held {
    slabs: Vec<Arc<Slab>>,
    all: Arc<AtomicUsize>,
}

impl Held {
    fn new(all: Arc<AtomicUsize>) -> Self {
        Self {
            slabs: Vec::new(),
            all,
        }
    }

    fn push(&mut self, slab: Arc<Slab>) {
        self.slabs.push(slab);
        self.all.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.slabs.len(), Ordering::Relaxed);
    }
}
