//! The control socket of a director: what is said on it, and the side that asks.
//!
//! One daemon serves a network namespace. It listens on an abstract unix socket, which exists once
//! per network namespace just as the kernel's IPVS does, and speaks HTTP/1.1 with JSON bodies:
//!
//! | route | question | answer |
//! |---|---|---|
//! | `GET` [`routes::STATUS`] | how is it? | [`Status`] |
//! | `GET` [`routes::SERVICES`] | what is balanced, and how much? | [`Services`] |
//! | `GET` [`routes::FLOWS`] | which flows are there? | one [`FlowView`] a line (NDJSON), streamed |
//! | `GET` [`routes::SYSCTLS`] | which sysctls are there, and what are they? | a list of [`SysctlView`] |
//! | `POST` [`routes::CHANGES`] | a list of [`ferrovs_model::Change`] | `{}`; or 409 and [`Refused`], and then nothing of the list was done |
//! | `POST` [`routes::CHANGES_EACH`] | a list of [`ferrovs_model::Change`], each made or refused for itself | a list of [`Refused`] |
//! | `POST` [`routes::DOWN`] | take everything away and end | `{}` once it is done |
//!
//! Any other failure is answered with its status code and a [`Failure`]: 400 when the body cannot be
//! read, 403 when the asker may not, 500 when something broke.
//!
//! The answering side belongs to the daemon; [`client`] is the asking one.

pub mod client;
mod flow;
mod services;
mod status;
mod sysctl;

use std::{io, os::linux::net::SocketAddrExt, os::unix::net::SocketAddr};

use ferrovs_model::{Change, Refusal};
use serde::{Deserialize, Serialize};

pub use flow::{EngineView, FlowView, push_endpoint};
pub use services::{Counters, DestinationView, Rates, ServiceView, Services, Traffic};
pub use status::{EventView, HookView, ServiceRatesView, SpanView, Status, UnforwardedView};
pub use sysctl::SysctlView;

/// The name of the daemon's abstract unix socket.
pub const SOCKET_NAME: &[u8] = b"ferrovs";

/// The paths of the API.
pub mod routes {
    /// `GET`: [`crate::Status`].
    pub const STATUS: &str = "/v1/status";
    /// `GET`: [`crate::Services`].
    pub const SERVICES: &str = "/v1/services";
    /// `GET`: [`crate::FlowView`], one a line.
    pub const FLOWS: &str = "/v1/flows";
    /// `GET`: a list of [`crate::SysctlView`].
    pub const SYSCTLS: &str = "/v1/sysctls";
    /// `POST`: a list of [`ferrovs_model::Change`], made whole or not at all.
    pub const CHANGES: &str = "/v1/changes";
    /// `POST`: a list of [`ferrovs_model::Change`], of which those are made that can be, in order and with
    /// nothing of anybody else in between; the answer is the list of [`crate::Refused`].
    pub const CHANGES_EACH: &str = "/v1/changes/each";
    /// `POST`: end, and take programs and tables away.
    pub const DOWN: &str = "/v1/down";
}

/// The address the daemon listens on in this network namespace.
///
/// # Errors
/// None in practice: the name is short enough for every abstract socket.
pub fn socket_address() -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(SOCKET_NAME)
}

/// A change that could not be made. As the body of a 409 it is the first one of the list, of which
/// nothing was done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// The place of the change in the list, from 0.
    pub index: usize,
    /// Why, for programs.
    pub refusal: Refusal,
    /// Why, for people.
    pub message: String,
}

impl From<ferrovs_model::RefusedChange> for Refused {
    fn from(refused: ferrovs_model::RefusedChange) -> Self {
        Self {
            index: refused.index,
            refusal: refused.refusal,
            message: refused.refusal.to_string(),
        }
    }
}

/// Reads the body of a question that changes something: a list of changes.
///
/// # Errors
/// When it is none, with the answer to give.
pub fn read_changes(body: &[u8]) -> Result<Vec<Change>, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure {
        message: format!("the list of changes cannot be read: {error}"),
    })
}

/// The body of every failure that is not a refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failure {
    /// What went wrong, in one sentence for people.
    pub message: String,
}
