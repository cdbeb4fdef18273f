//! Files that say what a director shall do, to and from the wanted state. No I/O.
//!
//! [`saved`] is the format of `ferrovs save` and `ferrovs restore`.

pub mod saved;
