//! Answers that kernels do not give, made from recorded ones.

use std::io;

use netlink_packet_core::{DefaultNla, NlasIterator};

use super::playback::{Playback, playback};
use crate::{
    ipvs::{
        Destination, Encapsulation, Error, FAMILY, Forwarding, Key, Result, Table,
        attributes::emitted, read_once,
    },
    net::Generic,
};

/// What is read from a kernel that answers so; `None` if it does not have IPVS.
fn outcome(kernel: &Playback) -> Result<Option<Table>> {
    let found = Generic::find(kernel.clone(), FAMILY)?;
    found.map(|mut kernel| read_once(&mut kernel)).transpose()
}

/// The small recording, and for each datagram of it the number of its exchange, its own in there, and its
/// length.
fn small() -> (Playback, Vec<(usize, usize, usize)>) {
    let kernel = playback("small");
    let mut datagrams = Vec::new();
    for (exchange, (_, answers)) in kernel.exchanges.iter().enumerate() {
        let answers = answers.iter().enumerate();
        datagrams.extend(answers.map(|(number, bytes)| (exchange, number, bytes.len())));
    }
    (kernel, datagrams)
}

#[test]
fn datagrams_that_are_cut_short_are_errors() {
    let (recorded, datagrams) = small();
    for (exchange, number, length) in datagrams {
        for end in 1..length {
            let mut kernel = recorded.clone();
            let datagram = &mut kernel.exchanges[exchange].1[number];
            datagram.truncate(end);
            // What is left may be whole messages; the answer goes on in another datagram then.
            let whole = lengths(datagram).any(|ends| ends == end);
            assert!(
                whole || outcome(&kernel).is_err(),
                "{exchange} {number} {end}"
            );
        }
    }
}

/// Where the messages of a datagram end.
fn lengths(datagram: &[u8]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let length = datagram.get(end..)?.first_chunk::<4>()?;
        end += (u32::from_ne_bytes(*length) as usize).next_multiple_of(4);
        Some(end)
    })
}

#[test]
fn no_byte_that_is_changed_makes_it_panic() {
    let (recorded, datagrams) = small();
    let good = outcome(&recorded).unwrap();
    let mut seen = [false; 3];
    for (exchange, number, length) in datagrams {
        for at in 0..length {
            for change in [0x01, 0x80, 0xff] {
                let mut kernel = recorded.clone();
                kernel.exchanges[exchange].1[number][at] ^= change;
                match outcome(&kernel) {
                    Ok(table) if table == good => seen[0] = true,
                    Ok(_) => seen[1] = true,
                    Err(_) => seen[2] = true,
                }
            }
        }
    }
    assert_eq!(seen, [true; 3]);
}

/// What comes of some bytes of the small recording standing in for others.
fn replaced(old: &[u8], new: &[u8]) -> Error {
    let (mut kernel, _) = small();
    // The first one is about all families.
    let exchanges = kernel.exchanges[1..].iter_mut();
    let (answer, start) = exchanges
        .flat_map(|(_, answers)| answers)
        .find_map(|answer| {
            let start = answer.windows(old.len()).position(|bytes| bytes == old)?;
            Some((answer, start))
        })
        .unwrap();
    answer[start..start + new.len()].copy_from_slice(new);
    outcome(&kernel).unwrap_err()
}

#[test]
fn errors_say_what_is_wrong_with_what() {
    let server = "a real server of TCP 10.0.0.1:443";
    // Length and kind of an attribute and its value, as recorded and as replaced. Kind 99 is unknown.
    for (old, new, sentence) in [
        (
            [6, 0, 1, 0, 2, 0],
            [6, 0, 1, 0, 9, 0],
            "a service is of address family 9".to_owned(),
        ),
        (
            [6, 0, 1, 0, 2, 0],
            [6, 0, 99, 0, 2, 0],
            "a service has no address family".to_owned(),
        ),
        (
            [6, 0, 2, 0, 6, 0],
            [6, 0, 2, 0, 33, 0],
            "a service is of IP protocol 33".to_owned(),
        ),
        (
            [6, 0, 4, 0, 1, 187],
            [5, 0, 4, 0, 1, 187],
            "a service has 1 bytes as its port".to_owned(),
        ),
        (
            [7, 0, 6, 0, b's', b'h'],
            [7, 0, 99, 0, b's', b'h'],
            "the service TCP 10.0.0.1:443 has no scheduler".to_owned(),
        ),
        (
            [7, 0, 6, 0, b's', b'h'],
            [7, 0, 6, 0, b's', 0xff],
            "the service TCP 10.0.0.1:443 has a scheduler that is no text".to_owned(),
        ),
        (
            [8, 0, 3, 0, 2, 0],
            [8, 0, 3, 0, 7, 0],
            format!("{server} has the forwarding method 7"),
        ),
        (
            [8, 0, 4, 0, 3, 0],
            [8, 0, 99, 0, 3, 0],
            format!("{server} has no weight"),
        ),
        (
            [6, 0, 11, 0, 2, 0],
            [6, 0, 11, 0, 9, 0],
            format!("{server} is of address family 9"),
        ),
    ] {
        let error = replaced(&old, &new);
        assert!(matches!(error, Error::Malformed(_)), "{error}");
        assert!(error.to_string().contains(&sentence), "{error}");
    }
}

#[test]
fn a_damaged_message_is_told_from_a_damaged_attribute() {
    // The length of the message with the service.
    let (kernel, _) = small();
    let whole = &kernel.exchanges[2].1[0][..4];
    let error = replaced(whole, &[255, 255, 0, 0]);
    let Error::System(error) = error else {
        panic!("{error}");
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("cut short"), "{error}");
}

/// The real server of the small recording, with some attributes changed.
fn server(change: impl Fn(u16, &[u8]) -> Option<Vec<u8>>, key: &Key) -> Destination {
    let (kernel, _) = small();
    // Behind the headers and that of the attribute that holds the others.
    let answer = &kernel.exchanges[3].1[0][16 + 4 + 4..];
    let mut changed = Vec::new();
    for attribute in NlasIterator::new(answer) {
        let attribute = attribute.unwrap();
        if let Some(value) = change(attribute.kind(), attribute.value()) {
            changed.push(DefaultNla::new(attribute.kind(), value));
        }
    }
    Destination::of(&emitted(&changed), key).unwrap()
}

const V4: Key = Key::Mark {
    mark: 1,
    ipv6: false,
};

#[test]
fn older_kernels_leave_family_and_tunnel_out() {
    let known = |kind: u16| kind < 11;
    let as_recorded = |kind, value: &[u8]| known(kind).then(|| value.to_vec());
    let old = server(as_recorded, &V4);
    assert_eq!(old.address, "10.1.0.1:443".parse().unwrap());
    assert_eq!(old.forwarding, Forwarding::Tunnel(Encapsulation::Ipip));
    let v6 = Key::Mark {
        mark: 1,
        ipv6: true,
    };
    let with_v6 = |kind, value: &[u8]| {
        let ip = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[7]].concat();
        known(kind).then(|| if kind == 1 { ip } else { value.to_vec() })
    };
    assert_eq!(
        server(with_v6, &v6).address,
        "[2001:db8::7]:443".parse().unwrap()
    );
}

#[test]
fn what_ipvsadm_cannot_set_is_read_too() {
    let with = |wanted: u16, value: &'static [u8]| {
        let change =
            move |kind, old: &[u8]| Some(if kind == wanted { value } else { old }.to_vec());
        server(change, &V4).forwarding
    };
    assert_eq!(with(3, &[1, 0, 0, 0]), Forwarding::Local);
    assert_eq!(with(3, &[4, 0, 0, 0]), Forwarding::Bypass);
    // Flags beside the way of forwarding.
    assert_eq!(with(3, &[3, 0x20, 0, 0]), Forwarding::Route);
    assert_eq!(with(13, &[9]), Forwarding::Tunnel(Encapsulation::Other(9)));
    let Forwarding::Tunnel(Encapsulation::Gue { checksum, .. }) = with(15, &[3, 0]) else {
        panic!("a tunnel of another kind");
    };
    assert_eq!(format!("{checksum:?}"), "Other(3)");
}
