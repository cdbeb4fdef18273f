//! Linux Virtual Server, forged in Rust: an LVS-NAT director in eBPF.

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use ferrovs::{cli, ipvsadm::Program};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    // Before anything else looks at them, because ipvsadm has a grammar of its own.
    let named = args.first().and_then(|name| Path::new(name).file_name());
    if let (Some(program), [name, rest @ ..]) = (named.and_then(Program::named), args.as_slice()) {
        return program.run(&name.to_string_lossy(), rest).into();
    }
    if let [_, word, rest @ ..] = args.as_slice()
        && let Some(program) = Program::named(word)
    {
        let name = format!("ferrovs {}", word.to_string_lossy());
        return program.run(&name, rest).into();
    }
    cli::run(&args)
}
