//! As many services and servers as there may be.

use super::*;
use crate::{MAX_SERVERS, MAX_SERVICES};

/// Server `number` of the addresses of `network` (10.0.0.0/8 from 10.x.0.0 on).
fn host(network: u8, number: u32) -> [u8; 4] {
    (u32::from_be_bytes([10, network, 0, 0]) + number).to_be_bytes()
}

/// Services and servers up to the limits, the addresses of `network`.
fn everything(network: u8) -> Vec<Change> {
    let server = |number: usize| {
        let port = (number % MAX_SERVICES) as u16 + 1;
        Change::AddDestination {
            service: service(port),
            destination: Destination::masq((host(network, number as u32), 80).into()),
        }
    };
    let services = (1..=MAX_SERVICES as u16).map(add);
    services.chain((0..MAX_SERVERS).map(server)).collect()
}

#[test]
fn all_services_and_servers_that_may_be_have_room_and_can_be_exchanged() {
    // Lines as the kernel's tables have.
    let mut director = Director {
        plane: Plain::leak(Table::Filter.most()),
        ..Director::new()
    };
    director.wanted.apply_all(&everything(1)).unwrap();
    director.publish().unwrap();
    for number in 0..MAX_SERVERS as u32 {
        let key = real_key(Endpoint::new(host(1, number), 80), 6);
        assert!(director.plane.look_up(key).is_some(), "server {number}");
    }
    // Nobody has looked yet whether the removed ones have flows. One has.
    director.wanted.apply(&Change::Clear).unwrap();
    director.publish().unwrap();
    director.set_flows(17, 1);
    director.wanted.apply_all(&everything(9)).unwrap();
    assert_eq!(director.publish(), Err(Refusal::TableFull));
    director.set_flows(17, 0);
    director.publish().unwrap();
}
