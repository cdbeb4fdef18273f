//! The order of listings.
//!
//! ipvsadm sorts with comparisons that subtract unsigned numbers into signed ones (libipvs,
//! `ipvs_cmp_services` and `ipvs_cmp_dests`), so that 10.0.0.1 comes behind 192.168.0.1, and that are not
//! transitive. What comes out then depends on how qsort(3) goes about it, which is by merging halves.

use std::{cmp::Reverse, net::IpAddr};

use ferrovs_api::{DestinationView, ServiceView};
use ferrovs_model::{Protocol, ServiceKey};

/// The kernel hashes services with the address of an object of its own, which is another one after every
/// boot. This is one of them.
const KERNEL_OBJECT: u32 = 0x60;

/// The services in the order of the kernel's table.
pub(crate) fn in_kernel_order(all: &[ServiceView]) -> Vec<&ServiceView> {
    services_of_boot(all, false, KERNEL_OBJECT)
}

/// The services in the order of the kernel's table, or sorted from there.
pub(super) fn services(all: &[ServiceView], sorted: bool) -> Vec<&ServiceView> {
    services_of_boot(all, sorted, KERNEL_OBJECT)
}

fn services_of_boot(all: &[ServiceView], sorted: bool, kernel_object: u32) -> Vec<&ServiceView> {
    let mut order: Vec<_> = all.iter().collect();
    // The kernel has a table of addresses and one of marks; a new service goes before its bucket.
    order.sort_by_key(|service| {
        let is_mark = matches!(service.key, ServiceKey::Mark { .. });
        let bucket = bucket(&service.key, kernel_object);
        (is_mark, bucket, Reverse(service.added))
    });
    if sorted {
        order = merge_sort(order, &|a, b| compare_services(&a.key, &b.key));
    }
    order
}

/// The destinations in the order of scheduling, or sorted.
pub(super) fn destinations(all: &[DestinationView], sorted: bool) -> Vec<&DestinationView> {
    let order: Vec<_> = all.iter().collect();
    if !sorted {
        return order;
    }
    merge_sort(order, &|a, b| {
        let (a, b) = (a.destination.address, b.destination.address);
        difference_of_ips(a.ip(), b.ip())
            .unwrap_or_else(|| i32::from(a.port()) - i32::from(b.port()))
    })
}

/// The bucket of a service in the kernel's table (`ip_vs_svc_hashkey`, `ip_vs_svc_fwm_hashkey`).
fn bucket(key: &ServiceKey, kernel_object: u32) -> u32 {
    const BITS: u32 = 8;
    let hash = match *key {
        ServiceKey::Address { protocol, address } => {
            let port = u32::from(address.port());
            let folded = words(address.ip()).iter().fold(0, |fold, word| fold ^ word);
            u32::from(protocol.number()) ^ folded ^ (port >> BITS) ^ port
        }
        ServiceKey::Mark { mark, .. } => mark,
    };
    (hash ^ kernel_object) & ((1 << BITS) - 1)
}

/// `ipvs_cmp_services`.
fn compare_services(a: &ServiceKey, b: &ServiceKey) -> i32 {
    const fn mark(key: &ServiceKey) -> u32 {
        match key {
            ServiceKey::Address { .. } => 0,
            ServiceKey::Mark { mark, .. } => *mark,
        }
    }
    let by_mark = difference(mark(a), mark(b));
    let by_family = by_mark.or(difference(u32::from(a.is_ipv6()), u32::from(b.is_ipv6())));
    let (Some((protocol_a, a)), Some((protocol_b, b))) = (a.endpoint(), b.endpoint()) else {
        return by_family.unwrap_or(0);
    };
    let number = |protocol: Protocol| u32::from(protocol.number());
    by_family
        .or(difference(number(protocol_a), number(protocol_b)))
        .or(difference_of_ips(a.ip(), b.ip()))
        .unwrap_or_else(|| i32::from(a.port()) - i32::from(b.port()))
}

/// An address as four numbers; of an IPv4 address all but the first are zero.
fn words(ip: IpAddr) -> [u32; 4] {
    match ip {
        IpAddr::V4(v4) => [v4.to_bits(), 0, 0, 0],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [96, 64, 32, 0].map(|shift| (bits >> shift) as u32)
        }
    }
}

/// Looks at as many numbers as the first address has.
fn difference_of_ips(a: IpAddr, b: IpAddr) -> Option<i32> {
    let length = if a.is_ipv6() { 4 } else { 1 };
    let mut pairs = words(a).into_iter().zip(words(b)).take(length);
    pairs.find_map(|(a, b)| difference(a, b))
}

/// None if there is none.
const fn difference(a: u32, b: u32) -> Option<i32> {
    match a.wrapping_sub(b) as i32 {
        0 => None,
        difference => Some(difference),
    }
}

/// Sorts as the C library's qsort(3), whatever sense the comparison makes.
fn merge_sort<T: Copy>(items: Vec<T>, compare: &impl Fn(T, T) -> i32) -> Vec<T> {
    if items.len() <= 1 {
        return items;
    }
    let (left, right) = items.split_at(items.len() / 2);
    let left = merge_sort(left.to_vec(), compare);
    let right = merge_sort(right.to_vec(), compare);
    let mut merged = Vec::with_capacity(items.len());
    let (mut left, mut right) = (left.as_slice(), right.as_slice());
    while let (Some((&l, others_left)), Some((&r, others_right))) =
        (left.split_first(), right.split_first())
    {
        if compare(l, r) <= 0 {
            merged.push(l);
            left = others_left;
        } else {
            merged.push(r);
            right = others_right;
        }
    }
    merged.extend_from_slice(left);
    merged.extend_from_slice(right);
    merged
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use ferrovs_api::Traffic;
    use ferrovs_model::{Destination, ServiceSettings};

    use super::*;

    fn listed(keys: &[ServiceKey], sorted: bool, kernel_object: u32) -> Vec<String> {
        let all: Vec<ServiceView> = (0..)
            .zip(keys)
            .map(|(added, &key)| ServiceView {
                key,
                settings: ServiceSettings::new("rr"),
                added,
                traffic: Traffic::default(),
                destinations: Vec::new(),
            })
            .collect();
        let order = services_of_boot(&all, sorted, kernel_object);
        order
            .iter()
            .map(|service| service.key.to_string())
            .collect()
    }

    fn vip(protocol: Protocol, address: &str) -> ServiceKey {
        ServiceKey::address(protocol, address.parse().unwrap())
    }

    #[test]
    fn services_are_sorted_by_signed_differences() {
        let keys = [
            ServiceKey::Mark {
                mark: 7,
                ipv6: false,
            },
            vip(Protocol::Udp, "9.0.0.1:53"),
            vip(Protocol::Tcp, "[2001:db8::1]:80"),
            vip(Protocol::Tcp, "10.0.0.1:443"),
            vip(Protocol::Tcp, "10.0.0.1:80"),
            vip(Protocol::Tcp, "192.168.0.1:80"),
        ];
        assert_eq!(
            listed(&keys, true, KERNEL_OBJECT),
            [
                "TCP 192.168.0.1:80",
                "TCP 10.0.0.1:80",
                "TCP 10.0.0.1:443",
                "UDP 9.0.0.1:53",
                "TCP [2001:db8::1]:80",
                "FWM 7",
            ]
        );
    }

    /// Recorded from Linux 6.12.
    #[test]
    fn where_the_comparison_goes_in_circles_the_order_is_that_of_the_real_one() {
        let addresses = [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "203.0.113.1",
            "240.0.0.1",
            "128.0.0.1",
            "1.0.0.1",
            "100.64.0.1",
            "127.0.0.5",
            "255.255.255.254",
        ];
        let key = |address| vip(Protocol::Tcp, &format!("{address}:80"));
        let keys = addresses.map(key);
        let hosts = |sorted| {
            let listed = listed(&keys, sorted, 0x88).into_iter();
            let bare = |name: String| name.replace("TCP ", "").replace(":80", "");
            listed.map(bare).collect::<Vec<_>>()
        };
        let in_table = [
            "255.255.255.254",
            "127.0.0.5",
            "100.64.0.1",
            "1.0.0.1",
            "128.0.0.1",
            "240.0.0.1",
            "203.0.113.1",
            "192.168.0.1",
            "172.16.0.1",
            "10.0.0.1",
        ];
        assert_eq!(hosts(false), in_table);
        let sorted = [
            "172.16.0.1",
            "192.168.0.1",
            "203.0.113.1",
            "240.0.0.1",
            "255.255.255.254",
            "1.0.0.1",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.5",
            "128.0.0.1",
        ];
        assert_eq!(hosts(true), sorted);
    }

    #[test]
    fn unsorted_services_come_as_from_the_kernel() {
        let mark = |ipv6| ServiceKey::Mark { mark: 5, ipv6 };
        let keys = [
            vip(Protocol::Tcp, "10.0.0.1:80"),
            vip(Protocol::Udp, "10.0.0.1:53"),
            mark(false),
            mark(true),
        ];
        assert_eq!(
            listed(&keys, false, KERNEL_OBJECT),
            ["TCP 10.0.0.1:80", "UDP 10.0.0.1:53", "FWM 5 IPv6", "FWM 5"]
        );
    }

    #[test]
    fn destinations_are_sorted_by_address_and_port() {
        let view = |address: &str| DestinationView {
            destination: Destination::masq(address.parse().unwrap()),
            traffic: Traffic::default(),
            active: 0,
            inactive: 0,
            persistent: 0,
        };
        let all = [
            view("192.168.2.9:80"),
            view("10.0.0.1:443"),
            view("192.168.2.143:80"),
            view("10.0.0.1:80"),
        ];
        let addresses = |sorted| -> Vec<SocketAddr> {
            let order = destinations(&all, sorted);
            order.iter().map(|view| view.destination.address).collect()
        };
        let in_list: Vec<_> = all.iter().map(|view| view.destination.address).collect();
        assert_eq!(addresses(false), in_list);
        let sorted = [0, 2, 3, 1].map(|at: usize| in_list[at]);
        assert_eq!(addresses(true), sorted);
    }
}
