//! The way by which packets that nftables has marked come to the tc program.
//!
//! Netfilter marks a packet after ingress, where the programs have let it pass. Rules of the routing policy then lead what
//! has the mark of a service out of [`SENDER`], one end of a virtual cable in this namespace, and it comes in again by
//! the other, [`RECEIVER`], still marked: the tc program there sees the mark. The kernel forwards it there, so its
//! forwarding must be on and its TTL falls by one more. What the program leaves alone goes on to the director itself.
//!
//! The rules, in front of everything else, because a virtual address is this host's own:
//!
//! | priority | rule |
//! |---|---|
//! | 1 | `iif lo goto 5`: what this host sends is not for its own services |
//! | 2 | `iif ferrovs1 goto 5`: what has come by the cable does not go by it again |
//! | 3 | `fwmark N lookup 7077`, one for each mark; the table has one route, to [`SENDER`] |
//! | 5 | `lookup local`, which the kernel has at 0, and which is there again when [`remove`] has taken the others |
//!
//! They carry [`PROTOCOL`], by which they are told from those of others. The host is never without its local rule.

use std::{collections::BTreeSet, fs, io, path::Path};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
    route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
    rule::{RuleAction, RuleAttribute, RuleMessage},
};
use tracing::{debug, info};

use crate::net::{Query, Snapshot, errno};

/// The end of the cable into which marked packets are sent.
pub(crate) const SENDER: &str = "ferrovs0";
/// The end by which they come in again, and which the tc program watches.
pub(crate) const RECEIVER: &str = "ferrovs1";

/// Who made a rule or a route (`FRA_PROTOCOL`, `RTA_PROTOCOL`).
const PROTOCOL: RouteProtocol = RouteProtocol::Other(177);
/// The routing table of marked packets.
const TABLE: u32 = 7077;
/// The kernel's table of this host's own addresses.
const LOCAL: u32 = 255;
/// The address of both ends, so that what one sends is for the other.
const MAC: [u8; 6] = [0x02, 0x66, 0x65, 0x72, 0x6f, 0x76];
/// The most that a cable carries: what came in must go through.
const MTU: u32 = 65_535;

const FAMILIES: [AddressFamily; 2] = [AddressFamily::Inet, AddressFamily::Inet6];

/// A mark, and whether it is for IPv6.
pub type Mark = (u32, bool);

/// Makes the way for these marks, or what is missing of it, and takes away what is there for others.
///
/// # Errors
/// What the kernel does not accept.
pub(crate) fn ensure(query: &mut Query, marks: &BTreeSet<Mark>) -> io::Result<()> {
    if marks.is_empty() {
        return remove(query);
    }
    let sender = cable(query)?;
    for family in FAMILIES {
        let ipv6 = family == AddressFamily::Inet6;
        let of_family = marks.iter().filter(|mark| mark.1 == ipv6);
        let of_family: Vec<u32> = of_family.map(|mark| mark.0).collect();
        if of_family.is_empty() {
            remove_rules(query, family)?;
            continue;
        }
        query.act(route(family, sender), NLM_F_CREATE | NLM_F_REPLACE)?;
        lead(query, family, &of_family)?;
    }
    Ok(())
}

/// Takes the whole way away, if it is there.
///
/// # Errors
/// What the kernel does not accept.
pub(crate) fn remove(query: &mut Query) -> io::Result<()> {
    for family in FAMILIES {
        remove_rules(query, family)?;
    }
    if let Some(index) = index_of(query, SENDER)? {
        let mut link = LinkMessage::default();
        link.header.index = index;
        // Its routes and its other end go with it.
        query.act(RouteNetlinkMessage::DelLink(link), 0)?;
        info!("{SENDER} and {RECEIVER} are gone: no service by mark needs them");
    }
    Ok(())
}

/// The index of the sending end. The cable is made if there is none.
fn cable(query: &mut Query) -> io::Result<u32> {
    if let Some(index) = index_of(query, SENDER)? {
        return Ok(index);
    }
    let end = |name: &str| {
        vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Address(MAC.to_vec()),
            LinkAttribute::Mtu(MTU),
        ]
    };
    // Nobody is asked for the address behind it.
    let flags = LinkFlags::Noarp;
    let mut peer = LinkMessage::default();
    peer.attributes = end(RECEIVER);
    peer.header.flags = flags;
    peer.header.change_mask = flags;
    let mut link = LinkMessage::default();
    link.attributes = end(SENDER);
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    link.header.flags = flags;
    link.header.change_mask = flags;
    let make = RouteNetlinkMessage::NewLink(link);
    query.act(make, NLM_F_CREATE | NLM_F_EXCL)?;
    // The way back to a client is not by the cable; and it needs no addresses of its own.
    set(&format!("ipv4/conf/{RECEIVER}/rp_filter"), "0");
    for name in [SENDER, RECEIVER] {
        set(&format!("ipv6/conf/{name}/addr_gen_mode"), "1");
    }
    for name in [RECEIVER, SENDER] {
        up(query, name)?;
    }
    info!("{SENDER} leads marked packets to {RECEIVER}, where the tc program sees their mark");
    index_of(query, SENDER)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn up(query: &mut Query, name: &str) -> io::Result<()> {
    let mut link = LinkMessage::default();
    link.header.index =
        index_of(query, name)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    query.act(RouteNetlinkMessage::SetLink(link), 0)
}

fn index_of(query: &mut Query, name: &str) -> io::Result<Option<u32>> {
    let links = Snapshot::links(query)?;
    Ok(links.link_named(name).map(|link| link.index))
}

/// A kernel without the family has no such setting, and needs none.
fn set(setting: &str, value: &str) {
    let path = Path::new("/proc/sys/net").join(setting);
    if let Err(error) = fs::write(&path, value) {
        debug!(path = %path.display(), %error, "cannot set");
    }
}

/// Everything that is looked up in the table goes to the cable.
fn route(family: AddressFamily, sender: u32) -> RouteNetlinkMessage {
    let mut route = RouteMessage::default();
    route.header.address_family = family;
    route.header.protocol = PROTOCOL;
    route.header.scope = RouteScope::Link;
    route.header.kind = RouteType::Unicast;
    route.attributes = vec![RouteAttribute::Oif(sender), RouteAttribute::Table(TABLE)];
    RouteNetlinkMessage::NewRoute(route)
}

/// What a rule of ours asks, and what it says: all that tells one from another.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Rule {
    /// What came by this interface goes on at the local rule.
    Skip(&'static str),
    /// What has this mark goes by the cable.
    Lead(u32),
    /// This host's own addresses.
    Local,
}

impl Rule {
    fn message(&self, family: AddressFamily) -> RuleMessage {
        let mut rule = RuleMessage::default();
        rule.header.family = family;
        let (priority, action, attribute) = match *self {
            Self::Skip(name) => {
                let priority = if name == RECEIVER { 2 } else { 1 };
                rule.attributes.push(RuleAttribute::Goto(5));
                let iif = RuleAttribute::Iifname(name.to_owned());
                (priority, RuleAction::Goto, Some(iif))
            }
            Self::Lead(mark) => {
                rule.attributes.push(RuleAttribute::Table(TABLE));
                (3, RuleAction::ToTable, Some(RuleAttribute::FwMark(mark)))
            }
            Self::Local => {
                rule.attributes.push(RuleAttribute::Table(LOCAL));
                (5, RuleAction::ToTable, None)
            }
        };
        rule.header.action = action;
        rule.attributes.extend(attribute);
        rule.attributes.push(RuleAttribute::Priority(priority));
        rule.attributes.push(RuleAttribute::Protocol(PROTOCOL));
        rule
    }

    /// The rule of ours that `found` is.
    fn of(found: &RuleMessage) -> Option<Self> {
        let has = |attribute: &RuleAttribute| found.attributes.contains(attribute);
        if !has(&RuleAttribute::Protocol(PROTOCOL)) {
            return None;
        }
        for attribute in &found.attributes {
            match attribute {
                RuleAttribute::Iifname(name) if name == "lo" => return Some(Self::Skip("lo")),
                RuleAttribute::Iifname(name) if name == RECEIVER => {
                    return Some(Self::Skip(RECEIVER));
                }
                RuleAttribute::FwMark(mark) if *mark != 0 => return Some(Self::Lead(*mark)),
                _ => {}
            }
        }
        Some(Self::Local)
    }
}

/// Makes the rules be these, and no others of ours.
fn lead(query: &mut Query, family: AddressFamily, marks: &[u32]) -> io::Result<()> {
    let mut wanted = vec![Rule::Local, Rule::Skip("lo"), Rule::Skip(RECEIVER)];
    wanted.extend(marks.iter().map(|&mark| Rule::Lead(mark)));
    let all = rules(query, family)?;
    let ours: Vec<Rule> = all.iter().filter_map(Rule::of).collect();
    for rule in wanted.iter().filter(|rule| !ours.contains(rule)) {
        let new = RouteNetlinkMessage::NewRule(rule.message(family));
        query.act(new, NLM_F_CREATE | NLM_F_EXCL)?;
    }
    for rule in ours.iter().filter(|rule| !wanted.contains(rule)) {
        delete(query, rule.message(family))?;
    }
    // Last, when ours is there.
    for rule in all.into_iter().filter(is_first_local) {
        delete(query, rule)?;
    }
    Ok(())
}

fn remove_rules(query: &mut Query, family: AddressFamily) -> io::Result<()> {
    let all = rules(query, family)?;
    let mut ours: Vec<Rule> = all.iter().filter_map(Rule::of).collect();
    if ours.is_empty() {
        return Ok(());
    }
    if !all.iter().any(is_first_local) {
        let mut rule = RuleMessage::default();
        rule.header.family = family;
        rule.header.action = RuleAction::ToTable;
        rule.attributes = vec![
            RuleAttribute::Table(LOCAL),
            RuleAttribute::Priority(0),
            RuleAttribute::Protocol(RouteProtocol::Kernel),
        ];
        query.act(RouteNetlinkMessage::NewRule(rule), NLM_F_CREATE)?;
    }
    // What leads to the cable first.
    ours.sort_by_key(|rule| *rule == Rule::Local);
    for rule in ours {
        delete(query, rule.message(family))?;
    }
    Ok(())
}

/// Whether it is the local rule as the kernel has it: the first of all, asking nothing.
fn is_first_local(rule: &RuleMessage) -> bool {
    let attributes = rule.attributes.iter();
    let priority = attributes
        .clone()
        .any(|attribute| matches!(attribute, RuleAttribute::Priority(priority) if *priority != 0));
    let is_local =
        rule.header.table == LOCAL as u8 || rule.attributes.contains(&RuleAttribute::Table(LOCAL));
    let asks = attributes.clone().any(|attribute| {
        matches!(
            attribute,
            RuleAttribute::Iifname(_) | RuleAttribute::Oifname(_) | RuleAttribute::FwMark(_)
        )
    });
    !priority && is_local && !asks && rule.header.action == RuleAction::ToTable
}

fn rules(query: &mut Query, family: AddressFamily) -> io::Result<Vec<RuleMessage>> {
    let mut request = RuleMessage::default();
    request.header.family = family;
    let mut found = Vec::new();
    query.dump(RouteNetlinkMessage::GetRule(request), |message| {
        if let RouteNetlinkMessage::NewRule(rule) = message {
            found.push(rule);
        }
    })?;
    Ok(found)
}

fn delete(query: &mut Query, rule: RuleMessage) -> io::Result<()> {
    match query.act(RouteNetlinkMessage::DelRule(rule), 0) {
        // Somebody was faster.
        Err(error) if errno(&error) == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
