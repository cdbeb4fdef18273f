//! One recorded command.

use serde::Deserialize;

/// One recorded command, and what it did.
#[derive(Debug, Deserialize)]
pub(crate) struct Transcript {
    /// What it is about.
    pub(crate) name: String,
    /// Commands that were run before, on an empty table, one a line.
    pub(crate) setup: String,
    /// The command; several are separated by semicolons.
    pub(crate) cmd: String,
    /// The exit status of the last command.
    pub(crate) rc: u8,
    /// All that was printed on standard output.
    pub(crate) stdout: String,
    /// All that was printed on standard error.
    pub(crate) stderr: String,
    /// What `ipvsadm -Sn` printed afterwards, where it was asked.
    #[serde(rename = "after_Sn")]
    pub(crate) after_sn: Option<String>,
    /// What `ipvsadm -L --timeout` and `-L --daemon` printed afterwards, where it was asked.
    pub(crate) after_misc: Option<String>,
}
