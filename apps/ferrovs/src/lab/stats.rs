//! Reading what `ipvsadm -L -n --stats` and `-L -n -c` print.

use std::net::SocketAddrV4;

use anyhow::{Context, Result, bail};
use ferrovs_lab::capture::Tally;

/// One line of `--stats`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Line {
    /// The service's or the server's endpoint.
    pub(super) endpoint: SocketAddrV4,
    /// Connections.
    pub(super) connections: u64,
    /// From clients to servers.
    pub(super) inbound: Tally,
    /// From servers to clients.
    pub(super) outbound: Tally,
}

/// A service and its servers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Stats {
    /// The service's own line.
    pub(super) service: Line,
    /// The lines of its servers, in the order printed.
    pub(super) servers: Vec<Line>,
}

impl Stats {
    /// Reads a listing of one TCP service.
    pub(super) fn parse(listing: &str) -> Result<Self> {
        let mut service = None;
        let mut servers = Vec::new();
        for line in listing.lines() {
            // The titles have no endpoint, so the words tell them apart.
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["TCP", _, ..] if service.is_some() => {
                    bail!("the listing has more than one service")
                }
                ["TCP", endpoint, numbers @ ..] => service = Some(self::line(endpoint, numbers)?),
                ["->", "RemoteAddress:Port", ..] => {}
                ["->", endpoint, numbers @ ..] => servers.push(self::line(endpoint, numbers)?),
                _ => {}
            }
        }
        Ok(Self {
            service: service.context("the listing has no TCP service")?,
            servers,
        })
    }

    /// The line of one server.
    pub(super) fn server(&self, endpoint: SocketAddrV4) -> Option<&Line> {
        self.servers.iter().find(|line| line.endpoint == endpoint)
    }
}

fn line(endpoint: &str, numbers: &[&str]) -> Result<Line> {
    let numbers: Vec<u64> = numbers
        .iter()
        // 100 million and more are printed in thousands (K), and then a comparison is not exact.
        .map(|number| {
            number
                .parse()
                .with_context(|| format!("{number} is not an exact number"))
        })
        .collect::<Result<_>>()?;
    let [connections, in_packets, out_packets, in_bytes, out_bytes] = numbers[..] else {
        bail!(
            "the line of {endpoint} has {} numbers, not 5",
            numbers.len()
        );
    };
    Ok(Line {
        endpoint: endpoint
            .parse()
            .with_context(|| format!("{endpoint} is not an endpoint"))?,
        connections,
        inbound: Tally {
            packets: in_packets,
            bytes: in_bytes,
        },
        outbound: Tally {
            packets: out_packets,
            bytes: out_bytes,
        },
    })
}

/// The clients' endpoints in a listing of connections (`-L -n -c`) to this service.
pub(super) fn listed_clients(listing: &str, service: SocketAddrV4) -> Vec<SocketAddrV4> {
    let service = service.to_string();
    listing
        .lines()
        .filter_map(
            |line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["TCP", _expire, _state, source, virtual_, _destination]
                    if *virtual_ == service =>
                {
                    source.parse().ok()
                }
                _ => None,
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
TCP  169.254.179.1:80                   10       60       50     4080     5450
  -> 192.168.2.141:80                    5       30       25     2040     2725
  -> 192.168.2.143:80                    5       30       25     2040     2725
";

    #[test]
    fn a_listing_is_read() {
        let stats = Stats::parse(LISTING).unwrap();
        assert_eq!(stats.service.connections, 10);
        assert_eq!(
            stats.service.inbound,
            Tally {
                packets: 60,
                bytes: 4080
            }
        );
        assert_eq!(
            stats.service.outbound,
            Tally {
                packets: 50,
                bytes: 5450
            }
        );
        let server = stats.server("192.168.2.143:80".parse().unwrap()).unwrap();
        assert_eq!(
            server.outbound,
            Tally {
                packets: 25,
                bytes: 2725
            }
        );
        assert!(stats.server("192.168.2.145:80".parse().unwrap()).is_none());
    }

    #[test]
    fn what_is_not_exact_or_not_there_is_an_error() {
        assert!(Stats::parse("").is_err());
        assert!(Stats::parse(&LISTING.replace("5450", "  545K")).is_err());
        assert!(Stats::parse(&LISTING.replace("5450", "")).is_err());
        assert!(Stats::parse(&format!("{LISTING}{LISTING}")).is_err());
    }

    #[test]
    fn connections_of_the_service_are_found() {
        let listing = "IPVS connection entries
pro expire state       source             virtual            destination
TCP 01:55  TIME_WAIT   169.254.179.60:40000 169.254.179.1:80   192.168.2.143:80
TCP 01:55  TIME_WAIT   169.254.179.60:40001 169.254.179.1:81   192.168.2.143:80
";
        let service = "169.254.179.1:80".parse().unwrap();
        assert_eq!(
            listed_clients(listing, service),
            ["169.254.179.60:40000".parse().unwrap()]
        );
    }
}
