//! Where a result goes as it is made: into memory, or into a file of the library.

use std::sync::Arc;

use lookback_replay::{Draft, Product};

use super::failure::Failure;
use crate::library::Saving;

/// See the module's documentation.
pub(super) enum Output {
    Memory(Draft),
    File(Saving),
}

/// A result that is complete.
#[derive(Clone)]
pub(crate) enum Made {
    /// It is served from memory.
    Product(Arc<Product>),
    /// It lies in the library under this name.
    File { name: String, bytes: u64 },
}

impl Output {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(draft) => draft.len(),
            Self::File(saving) => saving.len(),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Memory(draft) => Ok(draft.write(bytes)?),
            Self::File(saving) => Ok(saving.write(bytes).await?),
        }
    }
}
