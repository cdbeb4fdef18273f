//! A director in memory: the wanted state with counters that stay at zero, and the names of hosts
//! and ports of the machine that the recordings come from.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
    ops::ControlFlow,
};

use ferrovs::ipvsadm::{Backend, BackendError, Names, Transport};
use ferrovs_api::{Counters, DestinationView, FlowView, ServiceView, Services};
use ferrovs_model::{Change, Forwarding, Protocol, ServiceKey, Wanted};

/// The wanted state, and no traffic.
#[derive(Debug, Default)]
pub(crate) struct Director {
    wanted: Wanted,
}

impl Backend for Director {
    fn apply(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        let refused =
            |refused: ferrovs_model::RefusedChange| BackendError::Refused(refused.refusal);
        self.wanted.apply_all(changes).map_err(refused)
    }

    fn services(&mut self) -> Result<Services, BackendError> {
        let view = |service: &ferrovs_model::Service| ServiceView {
            key: service.key,
            settings: service.settings.clone(),
            counters: Counters::default(),
            destinations: service
                .destinations
                .iter()
                .map(|&destination| DestinationView {
                    destination,
                    counters: Counters::default(),
                    active: 0,
                    inactive: 0,
                })
                .collect(),
        };
        Ok(Services {
            services: self.wanted.services().iter().map(view).collect(),
            timeouts: self.wanted.timeouts(),
        })
    }

    fn flows(
        &mut self,
        _: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Serves nobody.
#[derive(Debug)]
pub(crate) struct Closed;

impl Backend for Closed {
    fn apply(&mut self, _: &[Change]) -> Result<(), BackendError> {
        Err(BackendError::Denied)
    }

    fn services(&mut self) -> Result<Services, BackendError> {
        Err(BackendError::Denied)
    }

    fn flows(
        &mut self,
        _: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), BackendError> {
        Err(BackendError::Denied)
    }
}

impl Director {
    /// The state as the recordings have it, in the commands that make it.
    pub(crate) fn saved(&self) -> String {
        let mut saved = String::new();
        for service in self.wanted.services() {
            let ServiceKey::Address { protocol, address } = service.key;
            let letter = match protocol {
                Protocol::Tcp => 't',
                Protocol::Udp => 'u',
            };
            let scheduler = &service.settings.scheduler;
            writeln!(saved, "-A -{letter} {address} -s {scheduler}").unwrap();
            let mut destinations = service.destinations.clone();
            destinations.sort_by_key(|destination| destination.address);
            for destination in destinations {
                let (server, weight) = (destination.address, destination.weight);
                let forwarding = match destination.forwarding {
                    Forwarding::Masq => 'm',
                    Forwarding::Route => 'g',
                    Forwarding::Tunnel => 'i',
                };
                writeln!(
                    saved,
                    "-a -{letter} {address} -r {server} -{forwarding} -w {weight}"
                )
                .unwrap();
            }
        }
        saved
    }

    /// The timeouts as the recordings have them.
    pub(crate) fn timeouts(&self) -> String {
        let timeouts = self.wanted.timeouts();
        let (tcp, fin, udp) = (timeouts.tcp, timeouts.tcp_fin, timeouts.udp);
        format!("Timeout (tcp tcpfin udp): {tcp} {fin} {udp}\n")
    }
}

/// The machine of the recordings.
#[derive(Debug)]
pub(crate) struct Recorder;

const HOSTS: &[(&str, [u8; 4])] = &[
    ("rs1", [192, 168, 2, 141]),
    ("rs2.example.test", [192, 168, 2, 143]),
    ("vip", [169, 254, 179, 1]),
];

/// The forms that inet_aton(3) reads and only it.
const FORMS: &[(&str, [u8; 4])] = &[
    ("010.0.0.1", [8, 0, 0, 1]),
    ("10.1", [10, 0, 0, 1]),
    ("0xa.0.0.1", [10, 0, 0, 1]),
    ("167772161", [10, 0, 0, 1]),
];

const PORTS: &[(&str, u16, Transport)] = &[
    ("ftp", 21, Transport::Tcp),
    ("domain", 53, Transport::Tcp),
    ("domain", 53, Transport::Udp),
    ("tftp", 69, Transport::Udp),
    ("http", 80, Transport::Tcp),
    ("www", 80, Transport::Tcp),
    ("https", 443, Transport::Tcp),
    ("https", 443, Transport::Udp),
    ("http-alt", 8080, Transport::Tcp),
    ("http-alt", 8080, Transport::Udp),
];

impl Names for Recorder {
    fn find_host(&self, host: &str) -> Option<Ipv4Addr> {
        if let Some(known) = HOSTS.iter().find(|known| known.0 == host) {
            return Some(known.1.into());
        }
        if let Some(form) = FORMS.iter().find(|form| form.0 == host) {
            return Some(form.1.into());
        }
        host.parse().ok()
    }

    fn find_port(&self, port: &str, transport: Transport) -> Option<u16> {
        let known = PORTS
            .iter()
            .find(|known| known.0 == port && known.2 == transport)?;
        Some(known.1)
    }

    fn name_host(&self, ip: IpAddr) -> String {
        match HOSTS.iter().find(|known| IpAddr::from(known.1) == ip) {
            Some(known) => known.0.to_owned(),
            None => ip.to_string(),
        }
    }

    fn name_port(&self, port: u16, transport: Transport) -> String {
        match PORTS
            .iter()
            .find(|known| known.1 == port && known.2 == transport)
        {
            Some(known) => known.0.to_owned(),
            None => port.to_string(),
        }
    }
}
