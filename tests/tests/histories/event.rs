//! What may happen.

use ferrovs_model::{Change, Sysctl};
use ferrovs_tests::ipvs::{Forwarding, Ipvs, Refusal, Server, Settings};

use crate::{
    translate::{destination, wanted},
    universe::{Client, Host, Slot},
};

/// One step of a history. It makes sense wherever it stands, so that others may be left out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// A client's packet, with TCP's flags, or of SCTP the type of its first chunk, and so many bytes of data.
    Request(Slot, Client, u8, u8),
    /// A packet from the server that the client's connection goes to.
    Reply(Slot, Client, u8, u8),
    /// So many seconds go by, and a few more where both clocks would have to be the same to the last bit.
    Wait(u64),
    /// Somebody asks for something.
    Command(Command),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    AddService(Slot, Settings),
    EditService(Slot, Settings),
    DeleteService(Slot),
    /// The address of the server comes from the slot and the host.
    AddServer(Slot, Host, Terms),
    EditServer(Slot, Host, Terms),
    DeleteServer(Slot, Host),
    /// Seconds, of TCP, after a FIN, and of UDP; for a history's beginning.
    SetTimeouts(u32, u32, u32),
    SetSysctl(Sysctl, u32),
    Zero(Option<Slot>),
}

/// All about a server but its address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) forwarding: Forwarding,
    pub(crate) weight: u32,
    pub(crate) upper: u32,
    pub(crate) lower: u32,
}

fn server(slot: Slot, host: Host, terms: Terms) -> Server {
    let Terms {
        forwarding,
        weight,
        upper,
        lower,
    } = terms;
    Server {
        forwarding,
        upper,
        lower,
        ..Server::masq(slot.server(host), weight)
    }
}

impl Command {
    /// Asks the model for it.
    pub(crate) fn ask(&self, ipvs: &mut Ipvs) -> Result<(), Refusal> {
        match *self {
            Self::AddService(slot, settings) => ipvs.add_service(slot.key(), settings),
            Self::EditService(slot, settings) => ipvs.edit_service(&slot.key(), settings),
            Self::DeleteService(slot) => ipvs.delete_service(&slot.key()),
            Self::AddServer(slot, host, terms) => {
                ipvs.add_server(&slot.key(), server(slot, host, terms))
            }
            Self::EditServer(slot, host, terms) => {
                ipvs.edit_server(&slot.key(), server(slot, host, terms))
            }
            Self::DeleteServer(slot, host) => ipvs.delete_server(&slot.key(), slot.server(host)),
            Self::SetTimeouts(tcp, tcp_fin, udp) => {
                ipvs.set_timeouts(tcp.into(), tcp_fin.into(), udp.into());
                Ok(())
            }
            Self::SetSysctl(name, value) => {
                set_sysctl(ipvs, name, value);
                Ok(())
            }
            Self::Zero(slot) => ipvs.zero(slot.map(Slot::key).as_ref()),
        }
    }

    /// The same as a change of the wanted state.
    pub(crate) fn change(&self) -> Change {
        match *self {
            Self::AddService(slot, settings) => Change::AddService {
                service: slot.service_key(),
                settings: wanted(&settings, slot.is_ipv6()),
            },
            Self::EditService(slot, settings) => Change::EditService {
                service: slot.service_key(),
                settings: wanted(&settings, slot.is_ipv6()),
            },
            Self::DeleteService(slot) => Change::DeleteService {
                service: slot.service_key(),
            },
            Self::AddServer(slot, host, terms) => Change::AddDestination {
                service: slot.service_key(),
                destination: destination(&server(slot, host, terms)),
            },
            Self::EditServer(slot, host, terms) => Change::EditDestination {
                service: slot.service_key(),
                destination: destination(&server(slot, host, terms)),
            },
            Self::DeleteServer(slot, host) => Change::DeleteDestination {
                service: slot.service_key(),
                address: slot.server(host),
            },
            Self::SetTimeouts(tcp, tcp_fin, udp) => Change::SetTimeouts {
                tcp: Some(tcp),
                tcp_fin: Some(tcp_fin),
                udp: Some(udp),
            },
            Self::SetSysctl(name, value) => Change::SetSysctl { name, value },
            Self::Zero(slot) => Change::Zero {
                service: slot.map(Slot::service_key),
            },
        }
    }
}

/// Sets one of those that the model knows.
pub(crate) const fn set_sysctl(ipvs: &mut Ipvs, name: Sysctl, value: u32) {
    let sysctls = &mut ipvs.sysctls;
    match name {
        Sysctl::ConnReuseMode => sysctls.conn_reuse_mode = value,
        Sysctl::ExpireNodestConn => sysctls.expire_nodest_conn = value != 0,
        Sysctl::ExpireQuiescentTemplate => sysctls.expire_quiescent_template = value != 0,
        Sysctl::SloppyTcp => sysctls.sloppy_tcp = value != 0,
        Sysctl::SloppySctp => sysctls.sloppy_sctp = value != 0,
        _ => {}
    }
}
