//! `ferrovs snat`.

use clap::Args;
use ferrovs_api::client::Client;
use ferrovs_model::{Change, Network, PoolAddress, Snat};

use super::output;

/// Options of `ferrovs snat`.
#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// The networks of all servers that are to have a way out: 192.168.2.0/24. Nothing to say who has
    #[arg(value_name = "NETWORK", requires = "to")]
    networks: Vec<Network>,
    /// The director's addresses that the world sees in their place, perhaps with ports: 10.0.0.1:20000-29999
    #[arg(long, num_args = 1.., value_name = "ADDRESS[:FIRST-LAST]", requires = "networks")]
    to: Vec<PoolAddress>,
    /// Nobody is to have one
    #[arg(long, conflicts_with_all = ["networks", "to"])]
    clear: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    let Options {
        networks,
        to,
        clear,
    } = options;
    if networks.is_empty() && !clear {
        let snat = Client::connect()?.services()?.snat;
        return output::say(&snat.map_or_else(String::new, |snat| format!("{snat}\n")));
    }
    let snat = Snat {
        from: networks.clone(),
        to: to.clone(),
    };
    super::make(&[Change::SetSnat {
        snat: (!clear).then_some(snat),
    }])
}
