//! Where the core departs from IPVS, and histories keep away.
//!
//! Besides what is here, no history has
//! - a segment without any of SYN, FIN, ACK and RST: it closes a connection of IPVS, and changes nothing here;
//! - a client's SYN+ACK: IPVS schedules it, here it opens nothing;
//! - a client's SYN+RST: where a connection is at its end, IPVS ends it and leaves the segment alone, here it is
//!   forwarded;
//! - timeouts that are set while there are connections: see `docs/differences.md`;
//! - two services in which one client socket meets one server socket: see there.

use ferrovs_tests::ipvs::{Conn, Ipvs, Packet, Persistence, State, sctp::Association};

use crate::{event::Command, plane::Core, universe::Client};

/// A client opens a connection anew whose entry is at its end, and thresholds count. In IPVS the old entry goes only
/// after the new one has come, and for a moment both are counted.
pub(crate) fn reopens_under_count(ipvs: &Ipvs, packet: &Packet) -> bool {
    let (Some(conn), Some(service)) = (ipvs.connection(packet), ipvs.service_for(packet)) else {
        return false;
    };
    let is_at_end = matches!(
        conn.state,
        State::TimeWait | State::Close | State::Sctp(Association::Closed)
    );
    let servers = ipvs.servers(&service.key);
    is_at_end && packet.opens() && servers.iter().any(|dest| dest.server.upper > 0)
}

/// A packet that may open a connection of a service by rr or wrr of which all servers are full. Whom it is the turn of then,
/// the core does not keep as IPVS does (rr stays where it is, wrr goes back to the head of the list and to the first
/// round). It shows when a server is edited after that.
pub(crate) fn finds_all_full(ipvs: &Ipvs, packet: &Packet) -> bool {
    let Some(service) = ipvs.service_for(packet) else {
        return false;
    };
    let servers = ipvs.servers(&service.key);
    let mut weighty = servers.iter().filter(|dest| dest.server.weight > 0);
    ["rr", "wrr"].contains(&service.settings.scheduler)
        && weighty.clone().next().is_some()
        && weighty.all(|dest| dest.overloaded)
}

/// A marked packet of a connection that was opened before there was a service for its mark. IPVS looks for a connection
/// first, and goes on with it; the core looks for the service first. Where packets are marked by netfilter, an unmarked
/// service has had them before (see `docs/differences.md`).
pub(crate) fn is_anothers_by_now(ipvs: &Ipvs, packet: &Packet) -> bool {
    let (Some(conn), Some(service)) = (ipvs.connection(packet), ipvs.service_for(packet)) else {
        return false;
    };
    packet.mark != 0 && ipvs.server_of(conn).key != service.key
}

/// Replies of a server that was removed: both translate them, but IPVS does not count them. From then on the counters are
/// not compared.
pub(crate) fn counts_what_ipvs_does_not(ipvs: &Ipvs, conn: Option<&Conn>) -> bool {
    conn.is_some_and(|conn| !ipvs.server_of(conn).is_available())
}

/// A server answers a datagram that was scheduled for itself: the core translates and counts it, IPVS leaves it alone.
/// A history has such answers only at its end.
pub(crate) const fn answers_alone(conn: Option<&Conn>, served_alone: bool) -> bool {
    conn.is_none() && served_alone
}

/// A template that holds no longer is there: what keeps a client's newer template on, keeps this one on too in the core
/// (see `docs/differences.md`). From then on templates are not compared; what they do still is.
pub(crate) fn keeps_for_others(ipvs: &Ipvs) -> bool {
    const INVALID: u16 = 65_535;
    let mut conns = ipvs.conns().iter();
    conns.any(|conn| conn.is_template && conn.virtual_.port() == INVALID)
}

/// Whether the command adds a server that IPVS remembers.
pub(crate) fn remembers(ipvs: &Ipvs, command: &Command) -> bool {
    let Command::AddServer(slot, host, _) = *command else {
        return false;
    };
    let key = slot.key();
    let mut removed = ipvs.removed(&key);
    removed.any(|dest| dest.server.address == slot.server(host))
}

/// A template will be due within moments of the end of one of its connections: which of the two is first decides
/// whether it is kept on for a minute, and neither clock is as fine as that. Each minute that it is kept on, the core's
/// daemon is a little later.
pub(crate) fn may_tie(ipvs: &Ipvs) -> bool {
    const MINUTE: u64 = 60_000;
    const MOMENTS: u64 = 3_000;
    let conns = ipvs.conns();
    let templates = conns.iter().filter(|conn| conn.is_template);
    templates
        .flat_map(|template| conns.iter().map(move |conn| (template, conn)))
        .any(|(template, conn)| {
            let apart = conn.expires.abs_diff(template.expires);
            let minutes = template.put_off + apart / MINUTE;
            let moments = MOMENTS * (1 + minutes);
            template.controls(conn)
                && !(moments..MINUTE.saturating_sub(moments)).contains(&(apart % MINUTE))
        })
}

/// Commands that lead where the two differ.
pub(crate) fn of_command(ipvs: &Ipvs, core: &Core, command: &Command) -> bool {
    match *command {
        // Both forget a removed server some two minutes after its last connection, but not at the same instant.
        Command::AddServer(slot, host, _) => {
            let core = core.remembers(&slot.service_key(), slot.server(host));
            remembers(ipvs, command) != core
        }
        // Which connections keep a template on, the core tells by the netmask that the service has by then.
        Command::EditService(slot, ref settings) => {
            let netmask = |persistence: Option<Persistence>| persistence.map(|one| one.netmask);
            let service = ipvs.service(&slot.key());
            let before = service.map(|service| netmask(service.settings.persistence));
            let keeps = ipvs.conns().iter().any(|conn| conn.is_template);
            keeps && before.is_some_and(|before| before != netmask(settings.persistence))
        }
        // The same for one that comes back with templates of its former life.
        Command::AddService(slot, _) => {
            let mut conns = ipvs.conns().iter();
            conns.any(|conn| {
                conn.is_template && conn.virtual_.ip() == slot.target(Client(0, 0)).1.ip()
            })
        }
        // In IPVS a removed server keeps its counters, and shows them when it comes back.
        Command::Zero(Some(slot)) => ipvs.removed(&slot.key()).next().is_some(),
        Command::Zero(None) => ipvs.services().iter().any(|service| {
            let key = service.key;
            ipvs.removed(&key).next().is_some()
        }),
        _ => false,
    }
}
