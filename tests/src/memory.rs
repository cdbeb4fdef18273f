//! A director in memory: the wanted state with counters that stay at zero, and the names of hosts
//! and ports of the machine that the recordings come from.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::ControlFlow,
    rc::Rc,
};

use ferrovs::ipvsadm::{Backend, BackendError, Names};
use ferrovs_api::{DestinationView, FlowView, ServiceView, Services, Traffic};
use ferrovs_model::{Change, Protocol, Refusal, RefusedChange, Service, Wanted};

/// The wanted state, and no traffic.
#[derive(Clone, Debug, Default)]
pub struct Director {
    wanted: Wanted,
}

impl Director {
    /// One of which this is wanted.
    #[must_use]
    pub const fn of(wanted: Wanted) -> Self {
        Self { wanted }
    }

    /// What is wanted of it.
    #[must_use]
    pub const fn wanted(&self) -> &Wanted {
        &self.wanted
    }
}

impl Backend for Director {
    fn apply(&mut self, changes: &[Change]) -> Result<(), BackendError> {
        let refused = |refused: RefusedChange| BackendError::Refused(refused.refusal);
        self.wanted.apply_all(changes).map_err(refused)
    }

    fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<(usize, Refusal)>, BackendError> {
        let made = changes.iter().map(|change| self.wanted.apply(change));
        let refused = |(index, made): (usize, Result<(), Refusal>)| Some((index, made.err()?));
        Ok(made.enumerate().filter_map(refused).collect())
    }

    fn services(&mut self) -> Result<Services, BackendError> {
        let view = |service: &Service| ServiceView {
            key: service.key,
            settings: service.settings.clone(),
            added: service.added,
            traffic: Traffic::default(),
            destinations: service
                .destinations
                .iter()
                .map(|&destination| DestinationView {
                    destination,
                    traffic: Traffic::default(),
                    active: 0,
                    inactive: 0,
                    persistent: 0,
                })
                .collect(),
        };
        Ok(Services {
            services: self.wanted.services().iter().map(view).collect(),
            timeouts: self.wanted.timeouts(),
            sysctls: self.wanted.sysctls(),
            pool: self.wanted.pool().to_vec(),
            snat: self.wanted.snat().cloned(),
            total: Traffic::default(),
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
pub struct Closed;

impl Backend for Closed {
    fn apply(&mut self, _: &[Change]) -> Result<(), BackendError> {
        Err(BackendError::Denied)
    }

    fn apply_each(&mut self, _: &[Change]) -> Result<Vec<(usize, Refusal)>, BackendError> {
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

/// The machine of the recordings.
#[derive(Debug)]
pub struct Recorder;

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
    ("24", [0, 0, 0, 24]),
];

const PORTS: &[(&str, u16, Protocol)] = &[
    ("ftp", 21, Protocol::Tcp),
    ("domain", 53, Protocol::Tcp),
    ("domain", 53, Protocol::Udp),
    ("tftp", 69, Protocol::Udp),
    ("http", 80, Protocol::Tcp),
    ("www", 80, Protocol::Tcp),
    ("https", 443, Protocol::Tcp),
    ("https", 443, Protocol::Udp),
    ("sip", 5060, Protocol::Tcp),
    ("sip", 5060, Protocol::Udp),
    ("http-alt", 8080, Protocol::Tcp),
    ("http-alt", 8080, Protocol::Udp),
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

    fn find_port(&self, port: &str, protocol: Protocol) -> Option<u16> {
        let known = PORTS
            .iter()
            .find(|known| known.0 == port && known.2 == protocol)?;
        Some(known.1)
    }

    fn name_host(&self, ip: IpAddr) -> Rc<str> {
        if ip == Ipv6Addr::LOCALHOST {
            return "ip6-localhost".into();
        }
        match HOSTS.iter().find(|known| IpAddr::from(known.1) == ip) {
            Some(known) => known.0.into(),
            None => ip.to_string().into(),
        }
    }

    fn name_port(&self, port: u16, protocol: Protocol) -> Rc<str> {
        match PORTS
            .iter()
            .find(|known| known.1 == port && known.2 == protocol)
        {
            Some(known) => known.0.into(),
            None => port.to_string().into(),
        }
    }
}
