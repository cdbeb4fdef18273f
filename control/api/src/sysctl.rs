//! Sysctls as they are.

use ferrovs_model::{About, Sysctl, Sysctls};
use serde::{Deserialize, Serialize};

/// A sysctl that ferrovs has.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SysctlView {
    /// Its name, as in IPVS.
    pub name: String,
    /// Its value.
    pub value: u32,
    /// Its value where nothing else was chosen.
    pub default: u32,
    /// Its default in IPVS.
    pub ipvs: u32,
    /// Its largest value; the smallest is 0.
    pub max: u32,
    /// What it decides.
    pub about: String,
}

impl SysctlView {
    /// All of them, by name.
    #[must_use]
    pub fn all(sysctls: &Sysctls) -> Vec<Self> {
        let view = |(sysctl, value): (Sysctl, u32)| {
            let About {
                name,
                default,
                ipvs,
                max,
                about,
                ..
            } = *sysctl.about();
            Self {
                name: name.to_owned(),
                value,
                default,
                ipvs,
                max,
                about: about.to_owned(),
            }
        };
        sysctls.iter().map(view).collect()
    }
}
