//! Space in the schedule table: first fit among the pieces that nobody owns.

use ferrovs_core::abi::schedule::Span;

/// A run of words.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Piece {
    first: u32,
    words: u32,
}

impl Piece {
    /// The words of a span: its cursor and its list; none if it was never made.
    pub(super) fn of(span: Span) -> Option<Self> {
        (span.dests() > 0).then(|| Self {
            first: span.first(),
            words: span.dests() + 1,
        })
    }
}

/// The table as a sorted list of taken pieces.
pub(super) struct Space {
    taken: Vec<Piece>,
    total: u32,
}

impl Space {
    /// A table of `total` words of which `taken` are in use. Pieces may touch but not overlap.
    pub(super) fn new(mut taken: Vec<Piece>, total: u32) -> Self {
        taken.sort_unstable();
        Self { taken, total }
    }

    /// A span for a list of `dests` servers; `None` when there is no such run of words.
    pub(super) fn take(&mut self, dests: u32) -> Option<Span> {
        let words = dests + 1;
        let mut first = 0;
        let mut place = self.taken.len();
        for (index, piece) in self.taken.iter().enumerate() {
            if piece.first >= first + words {
                place = index;
                break;
            }
            first = first.max(piece.first + piece.words);
        }
        if first + words > self.total {
            return None;
        }
        self.taken.insert(place, Piece { first, words });
        Some(Span::new(first, dests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_used_before_the_end() {
        let mut space = Space::new(Vec::new(), 16);
        assert_eq!(space.take(3), Some(Span::new(0, 3)));
        assert_eq!(space.take(1), Some(Span::new(4, 1)));
        let kept = Piece::of(Span::new(4, 1)).unwrap();
        let mut space = Space::new(vec![kept], 16);
        assert_eq!(space.take(4), Some(Span::new(6, 4)));
        assert_eq!(space.take(3), Some(Span::new(0, 3)));
        assert_eq!(space.take(5), None);
        assert_eq!(space.take(4), Some(Span::new(11, 4)));
        assert_eq!(space.take(1), None);
    }

    #[test]
    fn an_empty_list_owns_nothing() {
        assert_eq!(Piece::of(Span::new(7, 0)), None);
    }
}
