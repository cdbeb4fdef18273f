//! Kernel settings of a namespace.
//!
//! `/proc/sys/net` shows the namespace of the thread that looks, so a thread inside is all it takes.

use std::{fs, path::PathBuf};

use super::Namespace;
use crate::error::{Doing, Result};

impl Namespace {
    /// Reads a setting, such as `net.ipv4.ip_forward`.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn sysctl(&self, key: &str) -> Result<String> {
        let path = file(key);
        let value = self
            .run(|| fs::read_to_string(&path))?
            .doing(|| format!("read {key} in {}", self.name()))?;
        Ok(value.trim_end().to_owned())
    }

    /// Writes a setting. A key that contains a `/` is taken as a path, so that interfaces with a dot
    /// in their name can be reached.
    ///
    /// # Errors
    /// When there is no such setting, or the kernel refuses the value.
    pub fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = file(key);
        self.run(|| fs::write(&path, value))?
            .doing(|| format!("set {key} to {value} in {}", self.name()))
    }
}

fn file(key: &str) -> PathBuf {
    let relative = if key.contains('/') {
        key.to_owned()
    } else {
        key.replace('.', "/")
    };
    PathBuf::from("/proc/sys").join(relative)
}
