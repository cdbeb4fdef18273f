//! Servers and clients for the scripts of `tests/guest`; see `ends --help`.

use std::process::ExitCode;

use clap::Parser as _;
use ferrovs_tests::ends::End;

fn main() -> ExitCode {
    match End::parse().play() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ends: {error}");
            ExitCode::FAILURE
        }
    }
}
