//! The mapped tables as the publisher sees them.

use ferrovs_core::tables::Tables;
use ferrovs_kernel::Maps;
use ferrovs_model::publish::{Figures, Plane};

/// The tables of the running data plane.
pub(super) struct Live<'a>(pub(super) &'a Maps);

impl<'a> Plane for Live<'a> {
    type Tables = &'a Maps;

    fn tables(&self) -> &&'a Maps {
        &self.0
    }

    fn figures(&self, dest: u32) -> Figures {
        Figures::of((&self.0).counts(dest), self.0.traffic_of(dest))
    }

    fn filter_lines(&self) -> u32 {
        self.0.filter_lines()
    }

    fn quiesce(&self) {
        self.0.quiesce();
    }
}
