//! Steps 9 and 10, and the verdict: the pages, the counters, and what the wires say to both.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use anyhow::Result;
use ferrovs_lab::{
    Capture, Hook, Record, Topology, VIP,
    capture::Packet,
    http::{fetch, server_of},
};

use super::Walk;
use crate::lab::{
    interrupt,
    stats::{Stats, listed_clients},
    verdict::Evidence,
};

/// How many pages are shown.
const SHOWN: usize = 10;
/// The wires are quiet when nothing has passed for so long: longer than any delayed acknowledgement.
const QUIET: Duration = Duration::from_millis(300);
/// How long they may take to become quiet.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was seen while the pages were loaded.
pub(super) struct Visit {
    pages: Vec<Result<Ipv4Addr, String>>,
    client: Record,
    servers: Vec<(SocketAddrV4, Record)>,
    forwarded: (u64, u64),
}

impl Walk<'_> {
    pub(super) fn load_pages(&self, topology: &Topology) -> Result<Visit> {
        let screen = self.screen;
        let total = usize::from(self.options.pages);
        screen.step("The pages")?;
        screen.say("The client loads the page of the virtual address again and again.")?;
        let client = Capture::start(&topology.client, "eth0")?;
        let servers: Vec<_> = topology
            .servers
            .iter()
            .map(|server| {
                let capture = Capture::start(&server.namespace, "eth0")?;
                Ok((server.web_address(), capture))
            })
            .collect::<Result<_>>()?;
        let forwarded = || topology.director.counter("Ip", "ForwDatagrams");
        let before = forwarded()?;
        screen.command(
            "client",
            format_args!("for page in $(seq {total}); do curl http://{VIP}/; done"),
        )?;
        let pages = self.load_each(topology, total)?;
        client.settle(QUIET, PATIENCE, |packet| {
            packet.direction.protocol == Packet::TCP
        });
        let servers = servers
            .into_iter()
            .map(|(server, capture)| Ok((server, capture.stop()?)))
            .collect::<Result<_>>()?;
        Ok(Visit {
            pages,
            client: client.stop()?,
            servers,
            forwarded: (before, forwarded()?),
        })
    }

    fn load_each(
        &self,
        topology: &Topology,
        total: usize,
    ) -> Result<Vec<Result<Ipv4Addr, String>>> {
        let mut pages = Vec::with_capacity(total);
        let mut bar = None;
        for number in 0..total {
            interrupt::check()?;
            let page = fetch(&topology.client, topology.service(), "/");
            let text = match &page {
                Ok(page) => page.text(),
                Err(error) => format!("no page: {error}"),
            };
            if number < SHOWN {
                self.screen.text(&text)?;
            } else {
                bar.get_or_insert_with(|| self.screen.progress("loading pages", total))
                    .set_position(number as u64);
            }
            pages.push(match page {
                Ok(page) => server_of(&page.text()).ok_or_else(|| "a page of nobody".to_owned()),
                Err(error) => Err(error.to_string()),
            });
        }
        if total > SHOWN {
            self.screen
                .say(format_args!("... and {} more", total - SHOWN))?;
        }
        Ok(pages)
    }

    pub(super) fn read_counters(&self, topology: &Topology, visit: Visit) -> Result<Evidence> {
        self.screen.step("The counters and the connections")?;
        let stats = self.query(topology, &["-L", "-n", "--stats"])?;
        let connections = self.query(topology, &["-L", "-n", "-c"])?;
        Ok(Evidence {
            scheduler: self.options.scheduler.clone(),
            service: topology.service(),
            pages: visit.pages,
            client: visit.client,
            servers: visit.servers,
            stats: Stats::parse(&stats).map_err(|error| format!("{error:#}")),
            listed: listed_clients(&connections, topology.service()),
            forwarded: visit.forwarded,
            count: match self.options.hook {
                Hook::Xdp => Packet::as_segments,
                Hook::Auto | Hook::Tc => Packet::as_joined,
            },
        })
    }

    /// Shows the verdict; whether everything holds.
    pub(super) fn pronounce(&self, evidence: &Evidence) -> Result<bool> {
        self.screen.heading("Verdict")?;
        let checks = evidence.judge();
        for check in &checks {
            self.screen.check(check.holds, &check.text)?;
        }
        let failed = checks.iter().filter(|check| !check.holds).count();
        match failed {
            0 => self
                .screen
                .conclude(true, "LVS-NAT works: every packet accounted for.")?,
            1 => self.screen.conclude(false, "1 check failed.")?,
            failed => self
                .screen
                .conclude(false, &format!("{failed} checks failed."))?,
        }
        Ok(failed == 0)
    }
}
