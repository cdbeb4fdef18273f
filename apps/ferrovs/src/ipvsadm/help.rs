//! The help, made from the table of options, and the version.

use std::io::{self, Write};

use super::{
    popt::Spelling,
    table::{COMMANDS, OPTIONS},
};

/// The column where explanations begin.
const EXPLANATION: usize = 46;

/// Prints all commands and options.
pub(super) fn print_help(program: &str, out: &mut dyn Write) -> io::Result<()> {
    print_version(out)?;
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "as spoken by ferrovs {version}")?;
    writeln!(out, "Usage:\n  {program} COMMAND [OPTION]...\nCommands:")?;
    for row in COMMANDS {
        print_row(&row.spelling, row.help, out)?;
    }
    writeln!(out, "Options:")?;
    for row in OPTIONS {
        print_row(&row.spelling, row.help, out)?;
    }
    Ok(())
}

/// Prints the version that is kept to, to the letter: scripts look for it. Our own is in the help.
pub(super) fn print_version(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)"
    )
}

fn print_row(
    spelling: &Spelling,
    (value, explanation): (&str, &str),
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut names = String::new();
    for letter in spelling.shorts.chars() {
        names += &format!("-{letter}, ");
    }
    names += &format!("--{} {value}", spelling.long);
    writeln!(out, "  {names:<EXPLANATION$}{explanation}")
}
