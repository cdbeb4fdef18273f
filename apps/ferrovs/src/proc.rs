//! `ferrovs proc`: the files of the kernel's IPVS in /proc/net, for programs that read them there.
//!
//! The columns are those of Linux 6.12, blanks at the end of lines and all (`ip_vs_info_seq_show`,
//! `ip_vs_conn_seq_show`, `ip_vs_stats_show`).

mod connections;
mod services;
mod statistics;

use std::{
    io::{self, BufWriter, Write},
    ops::ControlFlow,
};

use clap::{Args, ValueEnum};
use ferrovs_api::client::Client;

use crate::cli::output;

pub use services::print as print_services;

/// Options of `ferrovs proc`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Options {
    /// The file in /proc/net
    #[arg(value_enum, value_name = "FILE")]
    file: File,
}

/// A file in /proc/net.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum File {
    /// Services and real servers
    #[value(name = "ip_vs")]
    Services,
    /// Connections
    #[value(name = "ip_vs_conn")]
    Connections,
    /// Counters and rates of everything together
    #[value(name = "ip_vs_stats")]
    Statistics,
}

/// Prints what the file would hold.
///
/// # Errors
/// When the daemon cannot be asked or the output cannot be written.
pub fn run(options: Options) -> anyhow::Result<()> {
    let mut client = Client::connect()?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let printed = match options.file {
        File::Services => services::print(&client.services()?.services, &mut out),
        File::Statistics => statistics::print(&client.services()?.total, &mut out),
        File::Connections => {
            let mut printed = connections::print_title(&mut out);
            client.flows(&mut |flow| {
                if printed.is_ok() {
                    printed = connections::print(&flow, &mut out);
                }
                match printed {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
            printed
        }
    };
    output::written(printed.and_then(|()| out.flush()))
}

/// An address as these files have it: IPv4 in hexadecimal, IPv6 with all its digits.
struct Address(std::net::IpAddr);

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            std::net::IpAddr::V4(v4) => write!(f, "{:08X}", v4.to_bits()),
            std::net::IpAddr::V6(v6) => {
                let [first, others @ ..] = v6.segments();
                write!(f, "{first:04x}")?;
                others.iter().try_for_each(|word| write!(f, ":{word:04x}"))
            }
        }
    }
}
