//! `ferrovs lab`: the LVS-NAT demonstration, walked through on this machine with real packets.
//!
//! The stage (namespaces, cables, servers, captures) is the `ferrovs-lab` crate. Here is what is
//! shown on it: [`walk`] has the steps in their order, [`verdict`] judges what the wires saw. The
//! commands are this very program run inside the director, so what is shown is what they print.

mod interrupt;
mod options;
mod privilege;
mod remove;
mod screen;
mod stats;
mod verdict;
mod walk;

use std::{
    net::{SocketAddrV4, TcpListener},
    process::ExitCode,
};

use anyhow::{Context, Result};

pub use self::options::Options;
use self::{interrupt::Interrupted, screen::Screen};

/// The exit status of a program that Ctrl-C ended, as shells give it.
const INTERRUPTED: u8 = 130;

/// Runs the demonstration, or removes one that was left standing. The exit status is 0 when all
/// went as it should, 1 when not, 130 after Ctrl-C.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let done = match options {
        Options {
            serve: Some(address),
            ..
        } => serve(*address).map(|()| true),
        Options { remove: true, .. } => privilege::acquire()
            .and_then(|()| remove::run())
            .map(|()| true),
        options => privilege::acquire().and_then(|()| demonstrate(options)),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("ferrovs: interrupted; everything has been taken away again");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("ferrovs: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the demonstration behaved.
fn demonstrate(options: &Options) -> Result<bool> {
    interrupt::listen().context("cannot listen for Ctrl-C")?;
    let screen = Screen::new();
    let done = walk::walk(options, &screen);
    screen.finish();
    match done {
        Err(error) if matches!(error.downcast_ref(), Some(ferrovs_lab::Error::Interrupted)) => {
            Err(Interrupted.into())
        }
        // A command that Ctrl-C made fail did not fail by itself.
        Err(_) if interrupt::requested() => Err(Interrupted.into()),
        done => done,
    }
}

/// What each built-in web server of the demonstration runs, inside its real server.
fn serve(address: SocketAddrV4) -> Result<()> {
    let listener =
        TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    ferrovs_lab::http::serve(&listener, *address.ip()).context("the web server failed")
}
