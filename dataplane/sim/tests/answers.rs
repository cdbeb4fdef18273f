//! Which IPv6 sources are answered. (Of IPv4 ones the table of packets knows.)

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::net::Ipv6Addr;

use ferrovs_core::{
    abi::answer::Request,
    answer::{Question, answer},
};
use ferrovs_sim::{Memory, Size, SliceFrame};

/// Whether a bare IPv6 packet from this source is answered.
fn is_answered(source: &str) -> bool {
    let size = Size {
        buckets: 2,
        filter_lines: 2,
        pointers: 0,
    };
    let memory = Memory::new(size, 0, 1, 1_000);
    let mut packet = [0; 48];
    packet[0] = 0x60;
    packet[5] = 8;
    packet[8..24].copy_from_slice(&source.parse::<Ipv6Addr>().unwrap().octets());
    let question = Question {
        network: 0,
        interface: 2,
        request: Request::port_unreachable(true),
    };
    answer(&SliceFrame::new(&mut packet), &&memory, question);
    match memory.take_answers().as_slice() {
        [] => false,
        [one] => one.packet == packet,
        more => panic!("{more:?}"),
    }
}

#[test]
fn nobody_in_particular_is_not_answered() {
    for source in ["::", "::1", "ff02::1", "ffff::"] {
        assert!(!is_answered(source), "{source}");
    }
    for source in [
        "::2",
        "::1:0:0:1",
        "1::",
        "fe80::1",
        "fd00::9",
        "2001:db8::1",
    ] {
        assert!(is_answered(source), "{source}");
    }
}
