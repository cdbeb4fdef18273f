//! What outlives the daemon beside the tables: the wanted state, whose numbers are whose, what was
//! changed about interfaces, and how the daemon was started. JSON, in a table of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use ferrovs_kernel::{DataPlane, Tuning, wanted};
use ferrovs_model::{Wanted, publish::Ledger};
use serde::{Deserialize, Serialize};

use super::options::Manner;

/// See the [module](self).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Document {
    pub(super) wanted: Wanted,
    pub(super) ledger: Ledger,
    #[serde(default)]
    pub(super) tuning: Tuning,
    #[serde(default)]
    pub(super) manner: Option<Manner>,
}

/// The document, in memory and in its table.
pub(super) struct Store {
    plane: Arc<DataPlane>,
    document: Mutex<Document>,
}

impl Document {
    /// The one that a data plane carries; an empty one if none was stored yet.
    pub(super) fn load(plane: &DataPlane) -> anyhow::Result<Self> {
        match wanted::load(&plane.maps)? {
            Some(text) => serde_json::from_slice(&text).context(
                "the stored wanted state cannot be understood: manage it with the version of ferrovs that \
                 wrote it, or run `ferrovs down` and start again",
            ),
            None => Ok(Self::default()),
        }
    }
}

impl Store {
    /// Reads what the data plane carries.
    pub(super) fn open(plane: Arc<DataPlane>) -> anyhow::Result<Self> {
        let document = Mutex::new(Document::load(&plane)?);
        Ok(Self { plane, document })
    }

    /// A copy of the document.
    pub(super) fn document(&self) -> Document {
        self.lock().clone()
    }

    /// Changes the document and stores it; if it cannot be stored, it is not changed.
    pub(super) fn update(&self, change: impl FnOnce(&mut Document)) -> ferrovs_kernel::Result<()> {
        let mut document = self.lock();
        let mut next = document.clone();
        change(&mut next);
        match serde_json::to_vec(&next) {
            Ok(text) => wanted::store(&self.plane.maps, &text)?,
            Err(error) => return Err(ferrovs_kernel::Error::Object(error.to_string())),
        }
        *document = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Document> {
        // A document is replaced whole, so a panic elsewhere leaves a good one.
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
