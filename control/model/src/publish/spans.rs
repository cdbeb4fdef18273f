//! Space in the schedule table: first fit among the pieces that nobody owns.

use std::collections::BTreeMap;

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

/// The table as a sorted list of gaps. They only become smaller, so what has once been too small for so many
/// lines is not looked at for them again: to find room for thousands of services does not take thousands of
/// steps for each.
pub(super) struct Space {
    gaps: Vec<Piece>,
    /// By number of lines: all gaps before this one are too small for them.
    tried: BTreeMap<u32, usize>,
}

impl Space {
    /// A table of `total` lines of which `taken` are in use. Pieces may touch but not overlap.
    pub(super) fn new(mut taken: Vec<Piece>, total: u32) -> Self {
        taken.sort_unstable();
        let end = Piece {
            first: total,
            lines: 0,
        };
        let mut gaps = Vec::new();
        let mut first = 0;
        for piece in taken.into_iter().chain([end]) {
            let lines = piece.first.saturating_sub(first);
            if lines > 0 {
                gaps.push(Piece { first, lines });
            }
            first = first.max(piece.first + piece.lines);
        }
        Self {
            gaps,
            tried: BTreeMap::new(),
        }
    }

    /// The first of `lines` lines in a row; `None` when there are none. No lines are anywhere.
    pub(super) fn take(&mut self, lines: u32) -> Option<u32> {
        if lines == 0 {
            return Some(0);
        }
        // Where fewer lines found no room, more find none.
        let fewer = self.tried.range(..=lines);
        let begin = fewer.map(|(_, &at)| at).max().unwrap_or(0);
        let gaps = self.gaps[begin..].iter_mut();
        let found = gaps.zip(begin..).find(|(gap, _)| gap.lines >= lines);
        let Some((gap, at)) = found else {
            self.tried.insert(lines, self.gaps.len());
            return None;
        };
        self.tried.insert(lines, at);
        let first = gap.first;
        gap.first += lines;
        gap.lines -= lines;
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

    #[test]
    fn smaller_pieces_find_what_is_left_of_the_gaps() {
        let kept = [Piece { first: 3, lines: 2 }, Piece { first: 8, lines: 1 }];
        let mut space = Space::new(kept.to_vec(), 12);
        assert_eq!(space.take(2), Some(0));
        assert_eq!(space.take(3), Some(5));
        assert_eq!(space.take(3), Some(9));
        assert_eq!(space.take(2), None);
        assert_eq!(space.take(1), Some(2));
        assert_eq!(space.take(1), None);
    }
}
