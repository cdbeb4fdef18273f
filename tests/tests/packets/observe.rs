//! Reading from a home's tables what is compared.

use std::{collections::BTreeMap, net::SocketAddrV4};

use ferrovs_core::{
    abi::{
        bucket::{DISPLACED, LINES, LOCK},
        dest::{self, Counts},
        endpoint::{Endpoint, tag},
        flow::{CONTROL, Control, Owner},
    },
    flow::{place, read},
    tables::{Line, Tables},
};
use ferrovs_model::publish::{Figures, Publisher};

use crate::{
    home::Home,
    model::{Books, Flow, Path},
};

fn address(word: u64) -> SocketAddrV4 {
    let endpoint = Endpoint::unpack(word);
    SocketAddrV4::new(endpoint.octets().into(), endpoint.host_port())
}

/// What the tables say.
pub(crate) fn books<H: Home>(home: &H, publisher: &Publisher) -> Result<Books, String> {
    let mut books = Books {
        flows: flows(home)?,
        ..Books::default()
    };
    for (number, path) in paths(publisher) {
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
        let (protocol, address) = endpoint.expect("the tables know services by address only");
        match (address, record.endpoint) {
            (std::net::SocketAddr::V4(virtual_), std::net::SocketAddr::V4(server)) => {
                (record.number, (protocol.number(), virtual_, server))
            }
            other => panic!("not IPv4: {other:?}"),
        }
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
        let home_bucket = place::of(config, flow.client, tag(flow.virtual_)).bucket;
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
        flows.push(Flow {
            protocol: tag(flow.client) as u8,
            client: address(flow.client),
            virtual_: address(flow.virtual_),
            server: address(flow.dest),
            local: address(flow.local),
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
