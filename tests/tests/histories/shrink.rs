//! Making a failing history as short as it still fails.

use crate::{
    event::Event,
    pair::{Failure, Pair},
};

/// Leaves out whatever is not needed for a failure, first much at a time, then less, until no single event can be
/// left out.
pub(crate) fn shorten(mut events: Vec<Event>, mut failure: Failure) -> (Vec<Event>, Failure) {
    let mut much = events.len().max(1);
    loop {
        events.truncate(failure.at + 1);
        let mut from = 0;
        let mut is_shorter = false;
        while from < events.len() {
            let until = (from + much).min(events.len());
            let rest = [&events[..from], &events[until..]].concat();
            match Pair::run(&rest) {
                Err(other) => {
                    (events, failure, is_shorter) = (rest, other, true);
                    events.truncate(failure.at + 1);
                }
                Ok(_) => from = until,
            }
        }
        if much > 1 {
            much /= 2;
        } else if !is_shorter {
            return (events, failure);
        }
    }
}
