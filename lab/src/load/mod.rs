//! Load that notices every failure: new connections at a steady rate, and connections that are held.

mod held;
mod storm;

pub use self::{
    held::{Held, HeldReport},
    storm::{Storm, StormReport},
};
