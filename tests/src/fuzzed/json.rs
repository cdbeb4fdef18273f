//! The list of changes that the API takes, made whole or not at all.

use ferrovs::ipvsadm::{Backend, BackendError};
use ferrovs_api::read_changes;
use ferrovs_model::{Change, Refusal, Wanted};

use super::round_trip;
use crate::memory::Director;

pub(super) fn check(input: &[u8]) {
    let changes = match read_changes(input) {
        Ok(changes) => changes,
        Err(failure) => {
            assert!(!failure.message.is_empty(), "a failure says why");
            return;
        }
    };
    let text = serde_json::to_vec(&changes).expect("every change can be written");
    let again = read_changes(&text).expect("what was written can be read");
    assert_eq!(changes, again, "what was read is what was written");

    let each = each(&changes);
    whole(&changes, &each);
}

/// Makes one change after the other: what is refused changes nothing, and the list does the same when it
/// is handed over to be made as far as it goes. Gives what was refused.
fn each(changes: &[Change]) -> Vec<(usize, Refusal)> {
    let mut wanted = Wanted::default();
    let mut refused = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let before = wanted.clone();
        if let Err(refusal) = wanted.apply(change) {
            assert_eq!(wanted, before, "{change:?} was refused");
            refused.push((index, refusal));
        }
        round_trip::by_file(&wanted);
        by_json(&wanted);
    }
    let mut director = Director::default();
    assert_eq!(director.apply_each(changes).as_ref(), Ok(&refused));
    assert_eq!(director.wanted(), &wanted, "each change for itself");
    refused
}

/// The list as a whole is refused for the first reason that one of its changes is, and then does nothing.
fn whole(changes: &[Change], refused: &[(usize, Refusal)]) {
    let mut director = Director::default();
    let done = director.apply(changes);
    match refused.first() {
        None => {
            let mut each = Director::default();
            assert_eq!(done, Ok(()));
            assert_eq!(each.apply_each(changes), Ok(Vec::new()));
            assert_eq!(director.wanted(), each.wanted(), "all changes at once");
        }
        Some(&(_, refusal)) => {
            assert_eq!(done, Err(BackendError::Refused(refusal)));
            assert_eq!(
                director.wanted(),
                &Wanted::default(),
                "the list was refused"
            );
        }
    }
}

/// The daemon keeps the state as JSON.
fn by_json(wanted: &Wanted) {
    let text = serde_json::to_string(wanted).expect("every state can be written");
    let read: Wanted = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(wanted, &read, "what was read is what was written: {text}");
}
