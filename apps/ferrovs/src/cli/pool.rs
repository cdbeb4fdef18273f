//! `ferrovs pool`.

use clap::Args;
use ferrovs_api::client::Client;
use ferrovs_model::{Change, PoolAddress};

use super::output;

/// Options of `ferrovs pool`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// All addresses that it is to have, with ports where not all from 1024 on may be taken: 10.0.0.1,
    /// 10.0.0.1:20000-29999, `[2001:db8::1]:20000-29999`. Nothing to list those that it has
    #[arg(value_name = "ADDRESS[:FIRST-LAST]")]
    addresses: Vec<PoolAddress>,
    /// It is to have none: servers know clients by the address that the director itself has towards them
    #[arg(long, conflicts_with = "addresses")]
    clear: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    if options.addresses.is_empty() && !options.clear {
        let pool = Client::connect()?.services()?.pool;
        return output::say(
            &pool
                .iter()
                .map(|one| format!("{one}\n"))
                .collect::<String>(),
        );
    }
    super::make(&[Change::SetPool {
        addresses: options.addresses.clone(),
    }])
}
