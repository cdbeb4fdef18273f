//! Whether the demonstration behaved, judged by what passed on the wires.
//!
//! Nothing here does anything: what was seen goes in, checks come out.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddrV4},
};

use ferrovs_lab::{
    CLIENT,
    capture::{Packet, Record, Tally},
};

use super::stats::{Line, Stats};

/// What was seen.
pub(super) struct Evidence {
    /// The scheduler's name.
    pub(super) scheduler: String,
    /// The service.
    pub(super) service: SocketAddrV4,
    /// Which server each page came from, in the order they were loaded, or why it did not come.
    pub(super) pages: Vec<Result<Ipv4Addr, String>>,
    /// What passed on the client's wire while the pages were loaded.
    pub(super) client: Record,
    /// The same on each real server's wire, in the order in which the servers were added.
    pub(super) servers: Vec<(SocketAddrV4, Record)>,
    /// What `ipvsadm -L -n --stats` said, or why it could not be read.
    pub(super) stats: Result<Stats, String>,
    /// The clients' endpoints that `ipvsadm -L -n -c` listed.
    pub(super) listed: Vec<SocketAddrV4>,
    /// How many packets the director's kernel had forwarded before the pages and after them.
    pub(super) forwarded: (u64, u64),
    /// How the director counts a packet.
    pub(super) count: fn(&Packet) -> Tally,
}

/// One thing that must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Check {
    pub(super) holds: bool,
    pub(super) text: String,
}

impl Evidence {
    /// All checks, in the order in which a reader wants them.
    pub(super) fn judge(&self) -> Vec<Check> {
        let mut checks = vec![self.pages(), self.captures()];
        match &self.stats {
            Ok(stats) => checks.extend([self.service_counts(stats), self.server_counts(stats)]),
            Err(why) => checks.push(Check {
                holds: false,
                text: format!("--stats: {why}"),
            }),
        }
        checks.extend([self.connections(), self.sources(), self.kernel()]);
        checks
    }

    /// The pages came, and in the scheduler's order.
    fn pages(&self) -> Check {
        let failed = self.pages.iter().filter(|page| page.is_err()).count();
        let total = self.pages.len();
        if failed > 0 {
            return Check {
                holds: false,
                text: format!("{failed} of {total} pages did not come"),
            };
        }
        let came: Vec<_> = self.pages.iter().flatten().copied().collect();
        let known = |page: &Ipv4Addr| self.servers.iter().any(|(server, _)| server.ip() == page);
        match self.expected_order() {
            Some(expected) => Check {
                holds: came == expected,
                text: if came == expected {
                    format!("the {total} pages came in turn: {}", short(&came))
                } else {
                    format!(
                        "the pages came {}; expected {}",
                        short(&came),
                        short(&expected)
                    )
                },
            },
            None => Check {
                holds: came.iter().all(known),
                text: format!(
                    "the {total} pages came from the real servers: {}",
                    short(&came)
                ),
            },
        }
    }

    /// IPVS puts each new server at the head of the list that rr goes through.
    fn expected_order(&self) -> Option<Vec<Ipv4Addr>> {
        let newest_first = self.servers.iter().rev().map(|(server, _)| *server.ip());
        (self.scheduler == "rr").then(|| newest_first.cycle().take(self.pages.len()).collect())
    }

    /// The captures saw everything.
    fn captures(&self) -> Check {
        let records = self
            .servers
            .iter()
            .map(|(_, record)| record)
            .chain([&self.client]);
        let dropped: u64 = records.map(|record| u64::from(record.dropped)).sum();
        Check {
            holds: dropped == 0,
            text: match dropped {
                0 => "the captures missed no packet".to_owned(),
                dropped => format!("the captures missed {dropped} packets"),
            },
        }
    }

    /// The service's line against the client's wire.
    fn service_counts(&self, stats: &Stats) -> Check {
        compare(
            "--stats",
            &stats.service,
            &self.wire(&self.client, self.service),
            "the client's wire",
        )
    }

    /// Each server's line against that server's wire.
    fn server_counts(&self, stats: &Stats) -> Check {
        let compared = self
            .servers
            .iter()
            .map(|(server, record)| match stats.server(*server) {
                Some(line) => compare(
                    &format!("--stats of {server}"),
                    line,
                    &self.wire(record, *server),
                    "its wire",
                ),
                None => Check {
                    holds: false,
                    text: format!("--stats does not list {server}"),
                },
            });
        compared
            .into_iter()
            .find(|check| !check.holds)
            .unwrap_or_else(|| Check {
                holds: true,
                text: format!(
                    "--stats of each of {} real servers equals its wire",
                    self.servers.len()
                ),
            })
    }

    /// What passed on a wire to and from this endpoint, the way the director counts.
    fn wire(&self, record: &Record, endpoint: SocketAddrV4) -> Line {
        let tally = |way: &dyn Fn(&Packet) -> bool| record.matching(way).map(self.count).sum();
        let to = |packet: &Packet| is_tcp(packet) && packet.direction.destination == endpoint;
        let from = |packet: &Packet| is_tcp(packet) && packet.direction.source == endpoint;
        let clients: BTreeSet<_> = record
            .matching(|packet| to(packet) && packet.tcp_flags == Packet::SYN)
            .map(|packet| packet.direction.source)
            .collect();
        Line {
            endpoint,
            connections: clients.len() as u64,
            inbound: tally(&to),
            outbound: tally(&from),
        }
    }

    /// `-c` lists the connections that were on the client's wire.
    fn connections(&self) -> Check {
        let seen: BTreeSet<_> = self
            .client
            .matching(|packet| is_tcp(packet) && packet.direction.destination == self.service)
            .map(|packet| packet.direction.source)
            .collect();
        let listed: BTreeSet<_> = self.listed.iter().copied().collect();
        Check {
            holds: !seen.is_empty() && seen.is_subset(&listed),
            text: format!(
                "-c lists {} of the {} connections on the client's wire",
                seen.intersection(&listed).count(),
                seen.len()
            ),
        }
    }

    /// The servers see the client itself, not the director.
    fn sources(&self) -> Check {
        let strangers: BTreeSet<_> = self
            .servers
            .iter()
            .flat_map(|(server, record)| {
                record.matching(|packet| is_tcp(packet) && packet.direction.destination == *server)
            })
            .map(|packet| *packet.direction.source.ip())
            .filter(|source| *source != CLIENT)
            .collect();
        let seen = self
            .servers
            .iter()
            .any(|(_, record)| record.matching(is_tcp).next().is_some());
        Check {
            holds: seen && strangers.is_empty(),
            text: match (seen, strangers.is_empty()) {
                (false, _) => "the servers' wires saw no packets at all".to_owned(),
                (true, true) => format!("the servers' wires show the client's address, {CLIENT}"),
                (true, false) => {
                    format!("the servers' wires show {strangers:?}, not only {CLIENT}")
                }
            },
        }
    }

    /// The kernel forwarded nothing: the packets took our way.
    fn kernel(&self) -> Check {
        let forwarded = self.forwarded.1.saturating_sub(self.forwarded.0);
        Check {
            holds: forwarded == 0,
            text: format!("the director's kernel forwarded {forwarded} packets (IpForwDatagrams)"),
        }
    }
}

fn is_tcp(packet: &Packet) -> bool {
    packet.direction.protocol == Packet::TCP
}

fn compare(what: &str, line: &Line, wire: &Line, wire_name: &str) -> Check {
    let show = |line: &Line| {
        format!(
            "{} connections, {} packets and {} bytes in, {} packets and {} bytes out",
            line.connections,
            line.inbound.packets,
            line.inbound.bytes,
            line.outbound.packets,
            line.outbound.bytes
        )
    };
    let same = line == wire;
    Check {
        holds: same,
        text: if same {
            format!("{what} equals {wire_name}: {}", show(line))
        } else {
            format!("{what} has {}; {wire_name} {}", show(line), show(wire))
        },
    }
}

/// The last numbers of addresses, the first dozen of them.
fn short(servers: &[Ipv4Addr]) -> String {
    let numbers: Vec<_> = servers
        .iter()
        .take(12)
        .map(|server| format!(".{}", server.octets()[3]))
        .collect();
    let more = if servers.len() > numbers.len() {
        ", ..."
    } else {
        ""
    };
    format!("{}{more}", numbers.join(", "))
}

#[cfg(test)]
mod tests;
