//! Space in the schedule table: first fit among the pieces that nobody owns.

use ferrovs_core::abi::schedule::Schedule;

/// A run of lines.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Piece {
    first: u32,
    lines: u32,
}

impl Piece {
    /// The lines of a service; none if its list has no servers.
    pub(super) fn of(schedule: Schedule) -> Option<Self> {
        let (first, lines) = (schedule.line(), schedule.lines());
        (lines > 0).then_some(Self { first, lines })
    }
}

/// The table as a sorted list of taken pieces.
pub(super) struct Space {
    taken: Vec<Piece>,
    total: u32,
}

impl Space {
    /// A table of `total` lines of which `taken` are in use. Pieces may touch but not overlap.
    pub(super) fn new(mut taken: Vec<Piece>, total: u32) -> Self {
        taken.sort_unstable();
        Self { taken, total }
    }

    /// The first of `lines` lines in a row; `None` when there are none. No lines are anywhere.
    pub(super) fn take(&mut self, lines: u32) -> Option<u32> {
        if lines == 0 {
            return Some(0);
        }
        let mut first = 0;
        let mut place = self.taken.len();
        for (index, piece) in self.taken.iter().enumerate() {
            if piece.first >= first + lines {
                place = index;
                break;
            }
            first = first.max(piece.first + piece.lines);
        }
        if first + lines > self.total {
            return None;
        }
        self.taken.insert(place, Piece { first, lines });
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_used_before_the_end() {
        let mut space = Space::new(Vec::new(), 16);
        assert_eq!(space.take(4), Some(0));
        assert_eq!(space.take(2), Some(4));
        let kept = Piece { first: 4, lines: 2 };
        let mut space = Space::new(vec![kept], 16);
        assert_eq!(space.take(5), Some(6));
        assert_eq!(space.take(4), Some(0));
        assert_eq!(space.take(6), None);
        assert_eq!(space.take(5), Some(11));
        assert_eq!(space.take(0), Some(0));
        assert_eq!(space.take(1), None);
    }
}
