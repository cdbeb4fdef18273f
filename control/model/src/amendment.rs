//! The little that differs between two states, so that it can be stored beside the old one.
//!
//! Only what is easily said: members of a list that are otherwise than they were, and some at its end.
//! For everything else there is no amendment, and the new state is stored whole.

use serde::{Deserialize, Serialize};

use crate::{
    Service, Wanted,
    publish::{Ledger, LedgerAmendment},
};

/// More members than this are no small difference.
const MANY: usize = 64;

/// What makes a new wanted state and ledger of the old ones.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Amendment {
    services: Vec<Service>,
    ledger: LedgerAmendment,
}

impl Amendment {
    /// From the first of each pair to the second; `None` if that cannot be said briefly.
    #[must_use]
    pub fn between(wanted: (&Wanted, &Wanted), ledger: (&Ledger, &Ledger)) -> Option<Self> {
        Some(Self {
            services: wanted.0.amended_services(wanted.1)?,
            ledger: ledger.0.amendment(ledger.1)?,
        })
    }

    /// Makes the new ones of the old ones.
    pub fn amend(self, wanted: &mut Wanted, ledger: &mut Ledger) {
        wanted.amend_services(self.services);
        ledger.amend(self.ledger);
    }
}

/// The members of `new` that `old` does not have; `None` if any of `old` is gone or has another place,
/// or if there are many. `is` tells whether two are the same member.
pub(crate) fn amended<T: Clone + PartialEq>(
    old: &[T],
    new: &[T],
    is: impl Fn(&T, &T) -> bool,
) -> Option<Vec<T>> {
    let (known, added) = new.split_at_checked(old.len())?;
    let mut found = Vec::new();
    for (before, after) in old.iter().zip(known) {
        if !is(before, after) {
            return None;
        }
        if before != after {
            found.push(after.clone());
        }
    }
    found.extend_from_slice(added);
    (found.len() <= MANY).then_some(found)
}

/// Puts members where they belong, or to the end.
pub(crate) fn amend<T>(list: &mut Vec<T>, found: Vec<T>, is: impl Fn(&T, &T) -> bool) {
    for one in found {
        match list.iter_mut().find(|known| is(known, &one)) {
            Some(known) => *known = one,
            None => list.push(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_little_is_said_and_done() {
        let is = |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0;
        let old = [(1, 0), (2, 0), (3, 0)];
        let after = |new: &[(u32, u32)]| {
            let found = amended(&old, new, is)?;
            let mut list = old.to_vec();
            amend(&mut list, found.clone(), is);
            assert_eq!(list, new);
            Some(found)
        };
        assert_eq!(after(&old), Some(vec![]));
        assert_eq!(after(&[(1, 0), (2, 7), (3, 0)]), Some(vec![(2, 7)]));
        let more = [(1, 0), (2, 7), (3, 0), (4, 0)];
        assert_eq!(after(&more), Some(vec![(2, 7), (4, 0)]));
        assert_eq!(after(&[(1, 0), (3, 0)]), None);
        assert_eq!(after(&[(2, 0), (1, 0), (3, 0)]), None);
        let many: Vec<_> = (1..100).map(|number| (number, 0)).collect();
        assert_eq!(after(&many), None);
    }
}
