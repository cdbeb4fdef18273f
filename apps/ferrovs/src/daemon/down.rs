//! `ferrovs down`: takes away everything that `ferrovs run` made in this network namespace.

use anyhow::Context;
use ferrovs_api::client::{Client, ClientError};
use ferrovs_kernel::{Error, Maps, probe, take_down};

use super::{document::Document, say};

/// Has the daemon take everything away and end; without a daemon, does it itself. To do it twice is no
/// error.
///
/// # Errors
/// When something stays.
pub fn down() -> anyhow::Result<()> {
    match Client::connect() {
        Ok(mut client) => {
            client.down()?;
            say("the daemon has taken its programs and tables away and ends");
            Ok(())
        }
        Err(ClientError::NotRunning) => without_daemon(),
        Err(error) => Err(error.into()),
    }
}

fn without_daemon() -> anyhow::Result<()> {
    probe()?;
    let maps = match Maps::recover() {
        Ok(maps) => maps,
        // Another version's programs can be taken away without understanding their tables.
        Err(Error::OtherLayout { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let document = maps.as_ref().map(Document::load);
    let tuning = match document {
        Some(Ok(document)) => document.tuning,
        Some(Err(_)) | None => Default::default(),
    };
    let names = take_down(maps.as_ref(), &tuning).context("not everything could be taken away")?;
    match names.as_slice() {
        [] => say("there is nothing of ferrovs in this network namespace"),
        names => say(&format!(
            "took programs and tables away from {}",
            names.join(", ")
        )),
    }
    Ok(())
}
