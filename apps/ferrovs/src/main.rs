//! Linux Virtual Server, forged in Rust: an LVS-NAT director in eBPF.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitCode,
};

use ferrovs::{cli, ipvsadm};

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    let ipvsadm = OsStr::new("ipvsadm");
    // Before anything else looks at them, because ipvsadm has a grammar of its own.
    match args.as_slice() {
        [program, rest @ ..] if Path::new(program).file_name() == Some(ipvsadm) => {
            ipvsadm::run(&program.to_string_lossy(), rest).into()
        }
        [_, word, rest @ ..] if word == ipvsadm => ipvsadm::run("ferrovs ipvsadm", rest).into(),
        args => cli::run(args),
    }
}
