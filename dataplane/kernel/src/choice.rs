//! Which interfaces are hooked, how, and why: a pure function of the network and what is wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use crate::{
    mark_way::{Mark, RECEIVER},
    net::{Link, Snapshot, Way},
    pool::{Outward, PoolAddress},
};

/// What the administrator said about hooks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HookChoice {
    /// tc everywhere.
    #[default]
    Tc,
    /// XDP everywhere, and tc behind it for what XDP leaves; tc alone on VLAN devices.
    Xdp,
    /// XDP on hardware whose driver runs it, tc on everything else.
    Auto,
}

/// Which programs an interface gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The tc program.
    Tc,
    /// Both programs.
    Xdp,
}

/// What the data plane is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Targets {
    /// Virtual addresses of the services, also of removed ones that flows may still need.
    pub virtuals: BTreeSet<IpAddr>,
    /// Destinations, likewise: number and address.
    pub dests: Vec<(u32, IpAddr)>,
    /// Addresses of those destinations whose clients are to be known by the director's.
    pub pooled: BTreeSet<IpAddr>,
    /// Addresses that servers are to know clients by.
    pub pool: Vec<PoolAddress>,
    /// Who has a way out, and by which addresses.
    pub outward: Outward,
    /// Marks of services, likewise.
    pub marks: BTreeSet<Mark>,
    /// Interfaces named by the administrator.
    pub named: Vec<String>,
    /// What the administrator said about hooks.
    pub choice: HookChoice,
    /// Whether something is to be kept although no interface needs a program: then the loopback
    /// interface carries one, so that the tables outlive the daemon.
    pub anchored: bool,
}

/// An interface that is to be hooked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hooking {
    /// Its index.
    pub interface: u32,
    /// Its name.
    pub name: String,
    /// With which programs.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// It only keeps the tables: its packets are not looked at.
    pub anchor: bool,
}

/// Chooses. `ways` are the ways to the destinations, by address.
pub(crate) fn choose(
    network: &Snapshot,
    targets: &Targets,
    ways: &BTreeMap<IpAddr, Way>,
    native: impl Fn(&Link) -> bool,
) -> Vec<Hooking> {
    let mut reasons: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for name in &targets.named {
        if let Some(link) = network.link_named(name) {
            note(&mut reasons, link.index, "named".to_owned());
        }
    }
    if !targets.marks.is_empty()
        && let Some(link) = network.link_named(RECEIVER)
    {
        note(
            &mut reasons,
            link.index,
            "receives what is marked".to_owned(),
        );
    }
    let local = network.addresses.iter();
    let local = local.filter(|own| targets.pooled.contains(&own.address));
    let inner = network.links.values().find(|link| link.loopback);
    note_all(
        &mut reasons,
        "leads to the director's own server",
        local.filter_map(|own| Some((inner?.index, own.address))),
    );
    let inward = reasons.clone();
    let outward = network.addresses.iter();
    let outward = outward.filter(|own| targets.outward.concerns(own.address));
    note_all(
        &mut reasons,
        "is on the way out of servers at",
        outward.map(|own| (own.interface, own.address)),
    );
    let virtuals = network.addresses.iter();
    let virtuals = virtuals.filter(|own| targets.virtuals.contains(&own.address));
    note_all(
        &mut reasons,
        "carries",
        virtuals.map(|own| (own.interface, own.address)),
    );
    note_all(
        &mut reasons,
        "may be the way in to",
        ways_in(network, targets).into_iter(),
    );
    let servers: BTreeSet<IpAddr> = targets.dests.iter().map(|&(_, address)| address).collect();
    let servers = servers.iter();
    let led = servers.filter_map(|address| Some((ways.get(address)?.interface, *address)));
    note_all(&mut reasons, "leads to", led);
    let chosen: BTreeSet<u32> = reasons.keys().copied().collect();
    let mut hookings: Vec<_> = reasons
        .into_iter()
        .filter_map(|(interface, reasons)| {
            let link = network.links.get(&interface)?;
            let masters = link.master.is_some_and(|master| chosen.contains(&master));
            let mut reason = reasons.join(", ");
            if is_vlan(link) && targets.choice == HookChoice::Xdp {
                reason.push_str(
                    "; a VLAN device runs no XDP of its own, and tc sees its frames untagged",
                );
            }
            // By the loopback interface come only the director's own packets.
            let looks = !link.loopback || inward.contains_key(&interface);
            (looks && !masters).then(|| Hooking {
                interface,
                name: link.name.clone(),
                kind: kind(targets.choice, link, &native),
                reason,
                anchor: false,
            })
        })
        .collect();
    if hookings.is_empty() && targets.anchored {
        hookings.extend(anchor(network));
    }
    hookings
}

/// Where packets to virtual addresses may come in that an interface carries by which none come, `lo` or a dummy:
/// somebody routes them here, by any interface that has an address.
fn ways_in(network: &Snapshot, targets: &Targets) -> Vec<(u32, IpAddr)> {
    let inner = |link: &Link| link.loopback || link.kind.as_deref() == Some("dummy");
    let is_inner = |interface| network.links.get(&interface).is_some_and(inner);
    let virtuals = network.addresses.iter();
    let virtuals =
        virtuals.filter(|own| targets.virtuals.contains(&own.address) && is_inner(own.interface));
    let virtuals: BTreeSet<IpAddr> = virtuals.map(|own| own.address).collect();
    let outer = network.addresses.iter().map(|own| own.interface);
    let outer: BTreeSet<u32> = outer.filter(|&interface| !is_inner(interface)).collect();
    let pairs = outer.into_iter();
    pairs
        .flat_map(|interface| virtuals.iter().map(move |&address| (interface, address)))
        .collect()
}

/// The virtual addresses that no interface carries: nobody knows by which interface their packets come.
pub(crate) fn homeless(network: &Snapshot, targets: &Targets) -> Vec<IpAddr> {
    let carried = network.addresses.iter().map(|own| own.address);
    let carried: BTreeSet<IpAddr> = carried.collect();
    targets.virtuals.difference(&carried).copied().collect()
}

/// What an interface does for the first of many addresses, and for how many more.
fn note_all(
    reasons: &mut BTreeMap<u32, Vec<String>>,
    does: &str,
    addresses: impl Iterator<Item = (u32, IpAddr)>,
) {
    let mut by_interface: BTreeMap<u32, (IpAddr, usize)> = BTreeMap::new();
    for (interface, address) in addresses {
        by_interface.entry(interface).or_insert((address, 0)).1 += 1;
    }
    for (interface, (first, count)) in by_interface {
        let reason = match count {
            1 => format!("{does} {first}"),
            _ => format!("{does} {first} and {} more", count - 1),
        };
        note(reasons, interface, reason);
    }
}

fn note(reasons: &mut BTreeMap<u32, Vec<String>>, interface: u32, reason: String) {
    reasons.entry(interface).or_default().push(reason);
}

fn kind(choice: HookChoice, link: &Link, native: &impl Fn(&Link) -> bool) -> Kind {
    let xdp = match choice {
        // What is redirected there could not be let through.
        _ if link.loopback => false,
        // XDP sees no mark.
        _ if link.name == RECEIVER => false,
        HookChoice::Tc => false,
        // The kernel would run it after it has put packets together (GRO), and those cannot be redirected.
        HookChoice::Xdp => !is_vlan(link),
        // A virtual interface hands over packets that are larger than its MTU and half checksummed,
        // which XDP cannot carry as they are.
        HookChoice::Auto => link.kind.is_none() && native(link),
    };
    if xdp { Kind::Xdp } else { Kind::Tc }
}

/// Whether it is a VLAN on another interface (802.1Q).
fn is_vlan(link: &Link) -> bool {
    link.kind.as_deref() == Some("vlan")
}

fn anchor(network: &Snapshot) -> Option<Hooking> {
    let link = network.links.values().find(|link| link.loopback)?;
    Some(Hooking {
        interface: link.index,
        name: link.name.clone(),
        kind: Kind::Tc,
        reason: "only keeps the tables: no other interface needs a program yet".to_owned(),
        anchor: true,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::net::Address;

    const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 179, 1));
    const RIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 2, 141));

    fn link(index: u32, name: &str, kind: Option<&str>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            loopback: name == "lo",
            ..Link::default()
        }
    }

    /// lo, the client's side with the VIP, the servers' side, and one that has to do with neither.
    fn network(kind: Option<&str>) -> Snapshot {
        let links = [
            link(1, "lo", None),
            link(2, "outside", kind),
            link(3, "inside", kind),
            link(4, "other", kind),
        ];
        Snapshot {
            links: links.into_iter().map(|link| (link.index, link)).collect(),
            addresses: vec![Address {
                interface: 2,
                address: VIP,
                prefix: 24,
            }],
            ..Snapshot::default()
        }
    }

    fn targets() -> Targets {
        Targets {
            virtuals: [VIP].into(),
            dests: vec![(1, RIP)],
            ..Targets::default()
        }
    }

    fn ways() -> BTreeMap<IpAddr, Way> {
        let way = Way {
            interface: 3,
            neighbour: RIP,
        };
        [(RIP, way)].into()
    }

    fn names(hookings: &[Hooking]) -> Vec<&str> {
        hookings
            .iter()
            .map(|hooking| hooking.name.as_str())
            .collect()
    }

    #[test]
    fn the_vip_and_the_routes_to_servers_choose() {
        let hookings = choose(&network(None), &targets(), &ways(), |_| true);
        assert_eq!(names(&hookings), ["outside", "inside"]);
        assert_eq!(hookings[0].reason, "carries 169.254.179.1");
        assert_eq!(hookings[1].reason, "leads to 192.168.2.141");
        assert!(hookings.iter().all(|hooking| hooking.kind == Kind::Tc));
    }

    #[test]
    fn nothing_wanted_means_nothing_hooked() {
        let nothing = Targets::default();
        assert!(choose(&network(None), &nothing, &ways(), |_| true).is_empty());
        let kept = Targets {
            anchored: true,
            ..nothing
        };
        let hookings = choose(&network(None), &kept, &ways(), |_| true);
        assert_eq!(names(&hookings), ["lo"]);
        assert!(hookings[0].anchor);
    }

    #[test]
    fn named_interfaces_are_hooked_and_loopback_only_then() {
        let mut targets = targets();
        targets.named = vec!["other".to_owned()];
        targets.anchored = true;
        let mut network = network(None);
        network.addresses[0].interface = 1;
        let hookings = choose(&network, &targets, &ways(), |_| true);
        assert_eq!(names(&hookings), ["inside", "other"]);
        targets.named.push("lo".to_owned());
        targets.choice = HookChoice::Xdp;
        let hookings = choose(&network, &targets, &ways(), |_| true);
        assert_eq!(names(&hookings), ["lo", "inside", "other"]);
        assert_eq!((hookings[0].kind, hookings[0].anchor), (Kind::Tc, false));
    }

    #[test]
    fn loopback_is_hooked_for_a_server_on_the_director_that_knows_clients_by_its_address() {
        let mut network = network(None);
        network.addresses.push(Address {
            interface: 3,
            address: RIP,
            prefix: 24,
        });
        let mut targets = targets();
        let hookings = choose(&network, &targets, &BTreeMap::new(), |_| true);
        assert_eq!(names(&hookings), ["outside"]);
        targets.pooled.insert(RIP);
        let hookings = choose(&network, &targets, &BTreeMap::new(), |_| true);
        assert_eq!(names(&hookings), ["lo", "outside"]);
        let reason = "leads to the director's own server 192.168.2.141";
        assert_eq!(hookings[0].reason, reason);
    }

    #[test]
    fn the_way_out_of_servers_is_hooked_at_both_ends() {
        let mut network = network(None);
        let own = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        network.addresses.push(Address {
            interface: 4,
            address: own,
            prefix: 24,
        });
        let to = PoolAddress {
            address: VIP,
            ports: None,
        };
        let targets = Targets {
            outward: Outward {
                from: vec![(Ipv4Addr::new(10, 0, 0, 0), 8)],
                to: vec![to],
            },
            ..Targets::default()
        };
        let hookings = choose(&network, &targets, &BTreeMap::new(), |_| true);
        assert_eq!(names(&hookings), ["outside", "other"]);
    }

    #[test]
    fn xdp_goes_on_hardware_that_can_unless_it_is_asked_for_everywhere() {
        let with = |choice, kind, native: bool| {
            let targets = Targets {
                choice,
                ..targets()
            };
            choose(&network(kind), &targets, &ways(), |_| native)[0].kind
        };
        assert_eq!(with(HookChoice::Auto, None, true), Kind::Xdp);
        assert_eq!(with(HookChoice::Auto, None, false), Kind::Tc);
        assert_eq!(with(HookChoice::Auto, Some("veth"), true), Kind::Tc);
        assert_eq!(with(HookChoice::Xdp, Some("veth"), true), Kind::Xdp);
        assert_eq!(with(HookChoice::Tc, None, true), Kind::Tc);
    }

    #[test]
    fn a_vlan_device_has_tc_and_says_why() {
        for (choice, told) in [(HookChoice::Xdp, true), (HookChoice::Auto, false)] {
            let targets = Targets {
                choice,
                ..targets()
            };
            let hookings = choose(&network(Some("vlan")), &targets, &ways(), |_| true);
            assert!(hookings.iter().all(|hooking| hooking.kind == Kind::Tc));
            assert_eq!(hookings[0].reason.contains("VLAN"), told);
        }
    }

    #[test]
    fn a_port_is_left_alone_when_its_master_is_hooked() {
        let mut network = network(None);
        if let Some(port) = network.links.get_mut(&4) {
            port.master = Some(2);
        }
        let mut targets = targets();
        targets.named = vec!["other".to_owned()];
        let hookings = choose(&network, &targets, &ways(), |_| true);
        assert_eq!(names(&hookings), ["outside", "inside"]);
        network.addresses.clear();
        let hookings = choose(&network, &targets, &ways(), |_| true);
        assert_eq!(names(&hookings), ["inside", "other"]);
    }

    #[test]
    fn a_vip_that_no_interface_carries_has_no_home() {
        let mut network = network(None);
        assert!(homeless(&network, &targets()).is_empty());
        network.addresses.clear();
        assert_eq!(homeless(&network, &targets()), [VIP]);
    }

    #[test]
    fn packets_to_a_vip_on_loopback_may_come_in_anywhere() {
        let mut network = network(None);
        network.addresses[0].interface = 1;
        let own = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        network.addresses.push(Address {
            interface: 4,
            address: own,
            prefix: 24,
        });
        assert!(homeless(&network, &targets()).is_empty());
        let hookings = choose(&network, &targets(), &ways(), |_| true);
        assert_eq!(names(&hookings), ["inside", "other"]);
        assert_eq!(hookings[1].reason, "may be the way in to 169.254.179.1");
    }
}
