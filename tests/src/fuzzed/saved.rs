//! The file of `ferrovs restore`: read whole or refused with a place in it.

use ferrovs::ipvsadm::{Backend, BackendError};
use ferrovs_config::saved::{self, ReadError};
use ferrovs_model::{Change, Protocol, Refusal, ServiceKey, ServiceSettings, Wanted};

use super::round_trip;
use crate::memory::Director;

pub(super) fn check(input: &[u8]) {
    // What is no text is refused where the file is read.
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match saved::read(text) {
        Ok(state) => {
            round_trip::by_file(&state);
            replaces_all_or_nothing(&state);
        }
        Err(error) => is_inside(&error, text),
    }
}

/// The place of a mistake is one where an editor can go: a character, or the end of a line.
fn is_inside(error: &ReadError, text: &str) {
    let line = error
        .line
        .checked_sub(1)
        .and_then(|at| text.split('\n').nth(at));
    let length = line.map(|line| line.chars().count());
    let inside = length.is_some_and(|length| (1..=length + 1).contains(&error.column));
    assert!(inside, "there is no such place: {error}");
    assert!(!error.message.is_empty(), "{error} says nothing");
}

fn replaces_all_or_nothing(state: &Wanted) {
    let mut director = Director::default();
    let added = director.apply(&[Change::AddService {
        service: ServiceKey::address(Protocol::Tcp, ([10, 0, 0, 1], 80).into()),
        settings: ServiceSettings::new("rr"),
    }]);
    assert_eq!(added, Ok(()));
    let before = director.wanted().clone();
    let replace = Change::Replace {
        state: state.clone(),
    };

    // Together with something that is always refused it is not done.
    let refused = Change::SetTimeouts {
        tcp: Some(0),
        tcp_fin: None,
        udp: None,
    };
    let done = director.apply(&[replace.clone(), refused]);
    assert_eq!(done, Err(BackendError::Refused(Refusal::Invalid)));
    assert_eq!(director.wanted(), &before, "the list was refused");

    let done = director.apply(&[replace]);
    assert_eq!(done, Ok(()), "what was read is sound");
    round_trip::assert_same(state, director.wanted());
}
