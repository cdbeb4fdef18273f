//! As many services and servers as there may be.

use super::*;
use crate::{MAX_SERVERS, MAX_SERVICES};

/// Services and servers up to the limits, the addresses of `network` (10.x.0.0/16).
fn everything(network: u8) -> Vec<Change> {
    let server = |number: usize| {
        let [.., high, low] = (number as u32).to_be_bytes();
        let port = (number % MAX_SERVICES) as u16 + 1;
        Change::AddDestination {
            service: service(port),
            destination: Destination::masq(([10, network, high, low], 80).into()),
        }
    };
    let services = (1..=MAX_SERVICES as u16).map(add);
    services.chain((0..MAX_SERVERS).map(server)).collect()
}

#[test]
fn all_services_and_servers_that_may_be_have_room_and_can_be_exchanged() {
    // Lines as the kernel's tables have.
    let mut director = Director {
        plane: Plain::leak(16_384),
        ..Director::new()
    };
    director.wanted.apply_all(&everything(1)).unwrap();
    director.publish().unwrap();
    for number in 0..MAX_SERVERS as u16 {
        let [high, low] = number.to_be_bytes();
        let key = real_key(Endpoint::new([10, 1, high, low], 80), 6);
        assert!(director.plane.look_up(key).is_some(), "server {number}");
    }
    // Nobody has looked yet whether the removed ones have flows. One has.
    director.wanted.apply(&Change::Clear).unwrap();
    director.publish().unwrap();
    director.set_flows(17, 1);
    director.wanted.apply_all(&everything(2)).unwrap();
    assert_eq!(director.publish(), Err(Refusal::TableFull));
    director.set_flows(17, 0);
    director.publish().unwrap();
}
