//! What can be chosen where IPVS has a sysctl in /proc/sys/net/ipv4/vs, under the same names.
//!
//! What there is about each of them stands in one table, [`SYSCTLS`] and [`MEANINGLESS`]; `docs/differences.md`
//! is held to it by a test. [`Sysctls`] are the values, a part of the wanted state.

mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

pub use table::{About, MEANINGLESS, Meaningless, SYSCTLS, Sysctl};

use crate::Refusal;

/// A name that no sysctl of ferrovs has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoSuchSysctl {
    /// IPVS has it, and it has no meaning for ferrovs.
    #[error("the sysctl {} has no meaning for ferrovs: {}", .0.name, .0.why)]
    Meaningless(&'static Meaningless),
    /// IPVS does not have it either.
    #[error("there is no sysctl {name:?}: the nearest name is {nearest}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The most similar name that IPVS has.
        nearest: &'static str,
    },
}

/// A value that a sysctl cannot have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} is a number from 0 to {}, not {value:?}", .sysctl.about().name, .sysctl.about().max)]
pub struct WrongValue {
    sysctl: Sysctl,
    value: String,
}

impl Sysctl {
    /// What there is to know about it.
    #[must_use]
    pub const fn about(self) -> &'static About {
        &SYSCTLS[self as usize]
    }

    /// The value, if it can have it.
    ///
    /// # Errors
    /// When it is no number, or too large.
    pub fn value_of(self, text: &str) -> Result<u32, WrongValue> {
        let value = text.parse().ok().filter(|&value| self.allows(value));
        value.ok_or_else(|| WrongValue {
            sysctl: self,
            value: text.to_owned(),
        })
    }

    const fn allows(self, value: u32) -> bool {
        value <= self.about().max
    }
}

impl FromStr for Sysctl {
    type Err = NoSuchSysctl;

    fn from_str(name: &str) -> Result<Self, NoSuchSysctl> {
        if let Some(about) = SYSCTLS.iter().find(|about| about.name == name) {
            return Ok(about.sysctl);
        }
        if let Some(known) = MEANINGLESS.iter().find(|known| known.name == name) {
            return Err(NoSuchSysctl::Meaningless(known));
        }
        let ours = SYSCTLS.iter().map(|about| about.name);
        let known = ours.chain(MEANINGLESS.iter().map(|known| known.name));
        let nearest = known.min_by_key(|known| strsim::damerau_levenshtein(name, known));
        Err(NoSuchSysctl::Unknown {
            name: name.to_owned(),
            nearest: nearest.unwrap_or_default(),
        })
    }
}

impl TryFrom<String> for Sysctl {
    type Error = NoSuchSysctl;

    fn try_from(name: String) -> Result<Self, NoSuchSysctl> {
        name.parse()
    }
}

impl From<Sysctl> for &'static str {
    fn from(sysctl: Sysctl) -> Self {
        sysctl.about().name
    }
}

/// A value for each sysctl. Written down are those that differ from the default.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "BTreeMap<Sysctl, u32>", try_from = "BTreeMap<Sysctl, u32>")]
pub struct Sysctls([u32; SYSCTLS.len()]);

impl Sysctls {
    /// The value of one.
    #[must_use]
    pub const fn get(&self, sysctl: Sysctl) -> u32 {
        self.0[sysctl as usize]
    }

    /// Gives one another value.
    ///
    /// # Errors
    /// [`Refusal::OutOfRange`] for a value that it cannot have.
    pub fn set(&mut self, sysctl: Sysctl, value: u32) -> Result<(), Refusal> {
        if !sysctl.allows(value) {
            return Err(Refusal::OutOfRange);
        }
        self.0[sysctl as usize] = value;
        Ok(())
    }

    /// All of them with their values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (Sysctl, u32)> {
        let values = *self;
        SYSCTLS
            .iter()
            .map(move |about| (about.sysctl, values.get(about.sysctl)))
    }

    /// Whether each has its default; keeps them out of what is written.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Those with another value than their default.
    pub fn chosen(&self) -> impl Iterator<Item = (Sysctl, u32)> {
        self.iter()
            .filter(|(sysctl, value)| *value != sysctl.about().default)
    }
}

impl Default for Sysctls {
    fn default() -> Self {
        Self(SYSCTLS.each_ref().map(|about| about.default))
    }
}

impl From<Sysctls> for BTreeMap<Sysctl, u32> {
    fn from(sysctls: Sysctls) -> Self {
        sysctls.chosen().collect()
    }
}

impl TryFrom<BTreeMap<Sysctl, u32>> for Sysctls {
    type Error = WrongValue;

    fn try_from(values: BTreeMap<Sysctl, u32>) -> Result<Self, WrongValue> {
        let mut sysctls = Self::default();
        for (sysctl, value) in values {
            sysctls.set(sysctl, value).map_err(|_| WrongValue {
                sysctl,
                value: value.to_string(),
            })?;
        }
        Ok(sysctls)
    }
}
