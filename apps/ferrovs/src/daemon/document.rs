//! What outlives the daemon beside the tables: the wanted state, whose numbers are whose, what was
//! changed about interfaces, and how the daemon was started. JSON, in a table of its own: the document, and
//! behind it what little was changed about it since.

use std::{
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use ferrovs_kernel::{DataPlane, Maps, Tuning, wanted};
use ferrovs_model::{Amendment, Wanted, publish::Ledger};
use serde::{Deserialize, Serialize};

use super::options::Manner;

/// After so many amendments the document is stored whole again.
const AMENDMENTS: usize = 100;

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
    document: Mutex<Stored>,
}

/// The document as it is stored.
struct Stored {
    now: Document,
    /// How many amendments lie behind the document that was stored whole.
    amendments: usize,
}

impl Deref for Stored {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.now
    }
}

impl Document {
    /// The one that a data plane carries; an empty one if none was stored yet.
    pub(super) fn load(maps: &Maps) -> anyhow::Result<Self> {
        let texts = wanted::load(maps)?;
        Self::read(&texts).context(
            "the stored wanted state cannot be understood: manage it with the version of ferrovs that \
             wrote it, or run `ferrovs down` and start again",
        )
    }

    fn read(texts: &[Vec<u8>]) -> serde_json::Result<Self> {
        let Some((first, others)) = texts.split_first() else {
            return Ok(Self::default());
        };
        let mut document: Self = serde_json::from_slice(first)?;
        for text in others {
            let amendment: Amendment = serde_json::from_slice(text)?;
            amendment.amend(&mut document.wanted, &mut document.ledger);
        }
        Ok(document)
    }

    /// What makes `new` of this, if it is little.
    fn amendment(&self, new: &Self) -> Option<Amendment> {
        let Self {
            wanted,
            ledger,
            tuning,
            manner,
        } = new;
        if self.tuning != *tuning || self.manner != *manner {
            return None;
        }
        Amendment::between((&self.wanted, wanted), (&self.ledger, ledger))
    }
}

impl Store {
    /// Reads what the data plane carries.
    pub(super) fn open(plane: Arc<DataPlane>) -> anyhow::Result<Self> {
        let stored = Stored {
            now: Document::load(&plane.maps)?,
            // Of what was found, nothing is amended.
            amendments: AMENDMENTS,
        };
        let document = Mutex::new(stored);
        Ok(Self { plane, document })
    }

    /// A copy of the document.
    pub(super) fn document(&self) -> Document {
        self.lock().now.clone()
    }

    /// Changes the document and stores it; if it cannot be stored, it is not changed.
    pub(super) fn update(&self, change: impl FnOnce(&mut Document)) -> ferrovs_kernel::Result<()> {
        let mut document = self.lock();
        let mut next = document.now.clone();
        change(&mut next);
        let maps = &self.plane.maps;
        let amendment = (document.amendments < AMENDMENTS)
            .then(|| document.amendment(&next))
            .flatten();
        let appended = match amendment {
            Some(amendment) => wanted::append(maps, &text_of(&amendment)?).is_ok(),
            None => false,
        };
        if appended {
            document.amendments += 1;
        } else {
            wanted::store(maps, &text_of(&next)?)?;
            document.amendments = 0;
        }
        document.now = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Stored> {
        // A document is replaced whole, so a panic elsewhere leaves a good one.
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text_of(value: &impl Serialize) -> ferrovs_kernel::Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| ferrovs_kernel::Error::Object(error.to_string()))
}
