//! The network tool of the scenarios, `nt`: a client that plays a script, and servers that answer with their name.
//!
//! `nt serve NAME PORT [sctp]`, `nt udpserve NAME PORT`, `nt play < SCRIPT`. It runs inside a machine of the
//! scenario. What it prints is compared with recordings, so its words are fixed: what the server answered, or the name of
//! the error: of connecting, of reading (`R:`), or of writing (`W:`).

mod client;
mod ports;
mod server;

use std::{io, process::ExitCode};

use nix::errno::Errno;

pub(super) use self::ports::FIRST as FIRST_PORT;

/// Runs the tool with its arguments, the program's name left out.
pub fn run(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let port = |text: &str| text.parse::<u16>().map_err(io::Error::other);
    let outcome = match words[..] {
        ["play"] => client::play(io::stdin().lines()),
        ["serve", name, at] => port(at).and_then(|at| server::tcp(name, at)),
        ["serve", name, at, "sctp"] => port(at).and_then(|at| server::sctp(name, at)),
        ["udpserve", name, at] => port(at).and_then(|at| server::udp(name, at)),
        _ => Err(io::Error::other(
            "usage: nt serve NAME PORT [sctp] | nt udpserve NAME PORT | nt play",
        )),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nt: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The name of an error as in errno.h. Patience that ended is `ETIMEDOUT`, wherever it did.
fn name(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "ETIMEDOUT".to_owned(),
        _ => match error.raw_os_error() {
            Some(number) => format!("{:?}", Errno::from_raw(number)),
            None => error.to_string(),
        },
    }
}
