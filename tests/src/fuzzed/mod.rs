//! What is fuzzed, and what must hold for every input.
//!
//! Each [`Target`] takes bytes and panics where something that must hold does not: that nothing panics,
//! that what is refused changes nothing, that what is written reads back the same. libFuzzer calls them
//! through the crate in `fuzz/`; the test `fuzzed` calls them on stable Rust with the kept inputs
//! ([`corpus`]) and with those made from recordings ([`Target::seeds`]).

mod arguments;
mod command;
pub mod corpus;
mod json;
mod restore;
mod round_trip;
mod saved;
mod seeds;

/// One way in for what people type and programs send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Command lines of `ipvsadm`: a line each, tabs between the words.
    Arguments,
    /// The input of `ipvsadm -R`.
    Restore,
    /// The file of `ferrovs restore`.
    Saved,
    /// The list of changes that the API takes.
    Json,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Arguments, Self::Restore, Self::Saved, Self::Json];

    /// Its name: that of its program for libFuzzer and of its kept inputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Restore => "restore",
            Self::Saved => "saved",
            Self::Json => "json",
        }
    }

    /// Takes one input.
    ///
    /// # Panics
    /// When something does not hold that must.
    pub fn check(self, input: &[u8]) {
        match self {
            Self::Arguments => arguments::check(input),
            Self::Restore => restore::check(input),
            Self::Saved => saved::check(input),
            Self::Json => json::check(input),
        }
    }

    /// Inputs made from the recorded commands.
    ///
    /// # Panics
    /// When the recordings cannot be read.
    #[must_use]
    pub fn seeds(self) -> Vec<Vec<u8>> {
        seeds::of(self)
    }
}
