//! Reading from a home's tables what is compared.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddrV4},
};

use ferrovs_core::{
    abi::{
        bucket::{DISPLACED, LINES, LOCK},
        dest::{self, Counts, Leads},
        endpoint::{Endpoint, tag},
        flow::{CONTROL, Control, ONE_PACKET, Owner},
        ipv6::Address,
        service,
        state::TEMPLATE,
    },
    flow::{
        ends::{is_ipv6, server_address},
        lease::pooled_address,
        place, read,
    },
    outward,
    tables::{Line, Tables},
    wire::TCP,
};
use ferrovs_model::publish::{Figures, Publisher};

use crate::{
    home::Home,
    model::{Books, Flow, Path},
    packet::Family,
};

/// Whom connections count for that servers make themselves.
pub(crate) const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

fn address(word: u64) -> SocketAddrV4 {
    let endpoint = Endpoint::unpack(word);
    SocketAddrV4::new(endpoint.octets().into(), endpoint.host_port())
}

/// The host whose IPv6 address this is, at a port in wire order.
fn host(address: Address, port: u16) -> SocketAddrV4 {
    let address = Ipv6Addr::from(address.octets());
    SocketAddrV4::new(Family::V6.host(address.into()), u16::from_be(port))
}

/// Client, virtual service, server and what the server sees as its peer.
fn ends<T: Tables>(tables: &T, flow: &ferrovs_core::flow::Flow) -> [SocketAddrV4; 4] {
    let words = &flow.words;
    if !is_ipv6(words.client) {
        let mut ends = [words.client, words.virtual_, words.dest, words.local].map(address);
        if words.is_one_way() {
            let settings = tables.dest(flow.owner.dest()).unwrap();
            ends[2] = address(settings.load(dest::ENDPOINT));
        }
        return ends;
    }
    let ports = words.ports();
    let service = tables.service(u32::from(ports.service & !ONE_PACKET));
    let service = service.unwrap();
    let virtual_ = Address([0, 1].map(|rest| service.load(service::ADDRESS + rest)));
    let settings = tables.dest(flow.owner.dest()).unwrap();
    let local = match flow.owner.pool() {
        0 => words.address(),
        number => pooled_address(tables.pool(number).unwrap()),
    };
    let server_port = if words.is_one_way() {
        dest::port(settings.load(dest::MODE))
    } else {
        Endpoint::unpack(words.dest).port
    };
    [
        host(words.address(), ports.client),
        host(virtual_, ports.virtual_),
        host(server_address(settings), server_port),
        host(local, ports.local),
    ]
}

/// What the tables say.
pub(crate) fn books<H: Home>(home: &H, publisher: &Publisher) -> Result<Books, String> {
    let mut books = Books {
        flows: flows(home)?,
        call_ids: home.call_ids(),
        ..Books::default()
    };
    let outward = (outward::DEST, (TCP, NOWHERE, NOWHERE));
    for (number, path) in paths(publisher).into_iter().chain([outward]) {
        let figures = home.figures(number);
        if figures != Figures::default() {
            books.figures.insert(path, figures);
        }
        let line = home.tables().counts(number);
        let counts = Counts(line.map_or(0, |line| line.load(dest::COUNTS)));
        if counts.0 != 0 {
            let counts = (counts.active(), counts.inactive());
            books.counts.insert(path, counts);
        }
        let leads = Leads(line.map_or(0, |line| line.load(dest::LEADS)));
        match u64::from(leads.templates()) {
            0 => {}
            templates => {
                books.templates.insert(path, templates);
            }
        }
    }
    let reasons = home.reasons().into_iter();
    books.reasons = reasons.filter(|&(_, count)| count != 0).collect();
    Ok(books)
}

/// Numbers of all destinations, and whose they are.
fn paths(publisher: &Publisher) -> Vec<(u32, Path)> {
    let ledger = publisher.ledger();
    let services: BTreeMap<_, _> = ledger
        .services()
        .iter()
        .map(|record| (record.number, record.key))
        .collect();
    let path = |record: &ferrovs_model::publish::DestRecord| {
        let endpoint = services[&record.service].endpoint();
        let (protocol, address) = endpoint.expect("the cases have services by address only");
        let family = if address.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        let (virtual_, server) = (family.host_of(address), family.host_of(record.endpoint));
        (record.number, (protocol.number(), virtual_, server))
    };
    ledger.dests().iter().map(path).collect()
}

/// All flows in order, and whether the table is consistent in itself.
pub(crate) fn flows<H: Home>(home: &H) -> Result<Vec<Flow>, String> {
    let tables = home.tables();
    let config = tables.config(0).ok_or("no configuration")?;
    let mut flows = Vec::new();
    let mut pointers = 0;
    let mut displaced: BTreeMap<u32, u64> = BTreeMap::new();
    for number in 0..home.flow_lines() {
        let line = tables.flow(number).ok_or("the flow table is too short")?;
        if number % LINES == 0 {
            if line.load(LOCK) != 0 {
                return Err(format!("bucket {} is still locked", number / LINES));
            }
            continue;
        }
        let control = Control(line.load(CONTROL));
        let Some(flow) = read(line, number) else {
            if control.is_free() {
                continue;
            }
            return Err(format!("line {number} is claimed by nobody"));
        };
        let keys = flow.words.ends(flow.owner);
        let home_bucket = place::of(config, keys.client, keys.service()).bucket;
        let is_away = home_bucket != number / LINES;
        if is_away != flow.owner.has(Owner::DISPLACED) {
            return Err(format!(
                "line {number} and its owner word disagree on its home"
            ));
        }
        pointers += usize::from(flow.owner.has(Owner::SERVER_POINTER));
        if is_away {
            *displaced.entry(home_bucket).or_default() += 1;
        }
        if control.state() == TEMPLATE {
            continue;
        }
        let [client, virtual_, server, local] = ends(&tables, &flow);
        flows.push(Flow {
            protocol: tag(keys.client) as u8,
            client,
            virtual_,
            server,
            local,
            state: control.state(),
            protected: control.is_protected(),
        });
    }
    for bucket in 0..home.flow_lines() / LINES {
        let header = tables.flow(bucket * LINES).ok_or("no header")?;
        let (says, is) = (
            header.load(DISPLACED),
            displaced.get(&bucket).copied().unwrap_or(0),
        );
        if says != is {
            return Err(format!(
                "bucket {bucket} counts {says} displaced flows, has {is}"
            ));
        }
    }
    if home.pointers() != pointers {
        let found = home.pointers();
        return Err(format!("{found} pointers, but the flows have {pointers}"));
    }
    flows.sort_unstable();
    Ok(flows)
}
