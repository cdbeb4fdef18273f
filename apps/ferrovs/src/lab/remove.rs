//! `ferrovs lab --remove`.

use std::io::{self, Write};

use anyhow::Result;

/// Removes what `--keep`, or a lab that was killed, has left, and says what that was.
pub(super) fn run() -> Result<()> {
    let mut out = io::stdout().lock();
    let removed = ferrovs_lab::remove_leftovers()?;
    if removed.is_empty() {
        writeln!(out, "There is no lab to remove.")?;
    }
    for gone in removed {
        let ended: Vec<_> = gone
            .ended
            .iter()
            .map(|(process, name)| format!("{name} ({process})"))
            .collect();
        match ended.as_slice() {
            [] => writeln!(out, "Removed {}.", gone.what)?,
            ended => writeln!(out, "Removed {}; ended {}.", gone.what, ended.join(", "))?,
        }
    }
    Ok(())
}
