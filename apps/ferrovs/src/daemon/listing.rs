//! Listing flows: lines of JSON, made from the mapped table piece by piece as the reader takes them. A
//! million flows take no more memory than a few, and a reader that stops or goes costs nothing more.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use axum::body::Bytes;
use ferrovs_api::{EngineView, FlowView};
use ferrovs_core::{
    abi::{
        bucket,
        call::Call,
        config::nanoseconds,
        dest,
        endpoint::{Endpoint, tag},
        flow::KEPT,
        ipv6::Address,
        service, state,
    },
    flow::{
        Flow,
        ends::{is_ipv6, server_address},
        is_expired, read, timeout,
    },
    outward,
    tables::{Line, Tables},
};
use ferrovs_kernel::{DataPlane, Maps};
use ferrovs_model::{PERSISTENCE_ENGINES, Protocol};

/// Lines of the table that are read for a piece: at most 448 flows, a fraction of a millisecond.
const LINES: u32 = 64 * bucket::LINES;

/// A listing that has come this far.
pub(super) struct Listing {
    plane: Arc<DataPlane>,
    next: u32,
}

impl Listing {
    pub(super) const fn new(plane: Arc<DataPlane>) -> Self {
        Self { plane, next: 0 }
    }

    /// The flows in the next lines, which may be none; `None` after the last line.
    pub(super) fn piece(&mut self) -> Option<Bytes> {
        let maps = &self.plane.maps;
        let end = maps.flow_lines().min(self.next.saturating_add(LINES));
        let lines = self.next..end;
        if lines.is_empty() {
            return None;
        }
        self.next = end;
        let mut piece = Vec::new();
        for number in lines {
            if number % bucket::LINES == 0 {
                continue;
            }
            let line = maps.flow(number);
            let flow = line.and_then(|line| read(line, number));
            // Writing into memory does not fail, nor do these types.
            if let Some(view) = flow.and_then(|flow| view(maps, &flow))
                && serde_json::to_writer(&mut piece, &view).is_ok()
            {
                piece.push(b'\n');
            }
        }
        Some(Bytes::from(piece))
    }
}

/// A flow as it is listed; `None` if its time is over, or if it is none that IPVS would list.
fn view(maps: &Maps, flow: &Flow) -> Option<FlowView<'static>> {
    let tables = &maps;
    let now = tables.now();
    let leads_back = flow.control.state() == state::ONE_PACKET;
    if leads_back || is_expired(tables, flow.control, now) {
        return None;
    }
    let number = tag(flow.words.client) as u8;
    let known = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let protocol = known.into_iter().find(|known| known.number() == number);
    let idle = now.wrapping_sub(flow.control.last_seen()) as i32;
    let kept = match flow.control.state() {
        state::TEMPLATE => tables.flow(flow.number)?.load(KEPT) as u32,
        state => timeout(tables, state),
    };
    let left = (i64::from(kept) - i64::from(idle)).max(0) as u32;
    let [client, virtual_, destination] = addresses(maps, flow)?;
    let call = call_of(flow);
    Some(FlowView {
        protocol,
        expires: (nanoseconds(left) / 1_000_000_000) as u32,
        state: Cow::Borrowed(state::name(flow.control.state())),
        client,
        virtual_,
        destination,
        engine: (!call.is_none()).then(|| EngineView {
            name: Cow::Borrowed(PERSISTENCE_ENGINES[0]),
            data: Cow::Owned(call_id(maps, call)),
        }),
    })
}

/// The call that a template keeps.
const fn call_of(flow: &Flow) -> Call {
    match flow.control.state() {
        state::TEMPLATE => Call::of(Endpoint::unpack(flow.words.ends(flow.owner).client)),
        _ => Call::NONE,
    }
}

/// Its Call-ID; empty if it is not kept.
fn call_id(maps: &Maps, call: Call) -> String {
    let text = maps.call_id(call).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// Of client, service and server.
fn addresses(maps: &Maps, flow: &Flow) -> Option<[SocketAddr; 3]> {
    let words = &flow.words;
    if flow.owner.dest() == outward::DEST {
        return Some([words.client, words.virtual_, words.dest].map(address));
    }
    let settings = maps.dest(flow.owner.dest())?;
    let mode = settings.load(dest::MODE);
    let mut server = if mode & dest::IPV6 == 0 {
        address(settings.load(dest::ENDPOINT))
    } else {
        address_ipv6(server_address(settings), dest::port(mode))
    };
    if mode & dest::ANY_PORT != 0 {
        server.set_port(asked_port(flow));
    }
    let is_call = !call_of(flow).is_none();
    if !is_ipv6(words.client) {
        // A call stands where clients do.
        let client = if is_call { words.local } else { words.client };
        return Some([address(client), address(words.virtual_), server]);
    }
    let ports = words.ports();
    let service = maps.service(u32::from(ports.service))?;
    let virtual_ = [0, 1].map(|rest| service.load(service::ADDRESS + rest));
    Some([
        address_ipv6(words.address(), if is_call { 0 } else { ports.client }),
        address_ipv6(Address(virtual_), ports.virtual_),
        server,
    ])
}

/// The port at which a flow's server is asked: that of a masqueraded one is in the line, another one sees what the client
/// has written.
const fn asked_port(flow: &Flow) -> u16 {
    let ends = flow.words.ends(flow.owner);
    let end = if ends.dest == 0 {
        ends.virtual_
    } else {
        ends.dest
    };
    Endpoint::unpack(end).host_port()
}

fn address(word: u64) -> SocketAddr {
    let endpoint = Endpoint::unpack(word);
    SocketAddr::from((Ipv4Addr::from(endpoint.octets()), endpoint.host_port()))
}

fn address_ipv6(address: Address, port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::from(address.octets()), u16::from_be(port)))
}
