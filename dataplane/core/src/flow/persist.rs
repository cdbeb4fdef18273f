//! Persistence: a template keeps a client, or all clients of a net, with one server
//! (`ip_vs_sched_persist`).
//!
//! A template is a line of the flow table like a flow's: its client has the masked address, port 0 and
//! [`TEMPLATE`] in its tag, its state is [`state::TEMPLATE`]. Or it keeps a [call](crate::abi::call) of
//! such a client, whose number then is in the place of address and port; a wish for such a one has [`TEMPLATE`] in its
//! client's tag ([`Wish::of`]). Programs make templates, under the lock of their home bucket, and renew them. Only the daemon ends them in time, because one that has connections is kept on.
//! Where a new flow finds no line, they give way as half-open flows do: a flood of clients that are none must
//! not fill the table with what is never evicted.

use super::acquire::acquire;
use super::ends::{Words, is_ipv6};
use super::find;
use super::lease::NOT_WANTED;
use super::open::{Outcome, Wish, draft, lock};
use super::place;
use super::settle::settle;
use super::{Flow, read};
use crate::abi::bucket::{LINES, LOCK};
use crate::abi::call::Call;
use crate::abi::config::{MODES, SYSCTLS, Sysctls};
use crate::abi::endpoint::{Endpoint, FTP, IPV6, TEMPLATE, tag, with_port};
use crate::abi::flow::{
    CALL, CLIENT, CONTROL, Control, DEST, Handshake, KEPT, LOCAL, OWNER, Owner, Phase, VIRTUAL,
};
use crate::abi::ipv6::Address;
use crate::abi::reason::Reason;
use crate::abi::{dest, service, state};
use crate::tables::{Line, Tables};

/// Tries to renew a template against other CPUs that do so.
const TRIES: u32 = 4;
/// The port of a template that keeps nobody any more, so that it is not found (`ip_vs_check_template`).
const NOBODY: u16 = 0xffff;

/// The clients of `service` that stay together with the one of this whole address, an IPv4 one in the lowest bits: what is left
/// of the address under the service's mask.
#[inline(always)]
fn group<L: Line>(service: L, address: Address) -> Address {
    let Address([first, second]) = address;
    Address([
        first & service.load(service::MASK),
        second & service.load(service::MASK + 1),
    ])
}

/// Whom a template of `service` is for, or a template of which keeps a flow, as far as lines have room for it: the
/// clients, and 32 bits of the call, 0 for no call. For the daemon, which ends templates.
pub fn kept_for<L: Line>(service: L, line: L, flow: &Flow) -> (Address, u32) {
    let words = &flow.words;
    let ends = words.ends(flow.owner);
    let called = Call::of(Endpoint::unpack(ends.client));
    let (client, call) = match flow.control.state() {
        state::TEMPLATE if !called.is_none() => (ends.local, called.0 as u32),
        state::UDP if line.load(CALL) >> 48 == flow.control.generation() as u64 & 0xffff => {
            (ends.client, line.load(CALL) as u32)
        }
        _ => (ends.client, 0),
    };
    let address = if is_ipv6(words.client) {
        words.address()
    } else {
        Address([Endpoint::unpack(client).address as u64, 0])
    };
    (group(service, address), call)
}

/// The template for the flow that `wish` describes, or for its call: a wish as for a flow, for the same server.
#[inline(always)]
fn template<T: Tables>(tables: &T, wish: &Wish) -> Option<Wish> {
    let service = tables.service(tag(wish.virtual_) as u32)?;
    let (protocol, virtual_) = ends(service, wish);
    if tag(wish.client) & TEMPLATE != 0 {
        return Some(Wish {
            client: Endpoint::unpack(wish.client).pack(protocol),
            virtual_,
            address: group(service, wish.address),
            kept: false,
            state: state::TEMPLATE,
            ..*wish
        });
    }
    let group = group(service, wish.whole_address());
    let address = if is_ipv6(wish.client) {
        place::digest(tables.config(0)?, group)
    } else {
        let Address([first, _]) = group;
        first as u32
    };
    Some(Wish {
        client: Endpoint { address, port: 0 }.pack(protocol | TEMPLATE),
        virtual_,
        address: group,
        kept: false,
        state: state::TEMPLATE,
        ..*wish
    })
}

/// The server of the template for the flow that `wish` describes; 0 if there is none, or its server takes nobody.
#[inline(always)]
pub fn kept<T: Tables>(tables: &T, wish: &Wish) -> u32 {
    template(tables, wish).map_or(0, |template| renew(tables, &template, false))
}

/// Makes a template for the flow that `wish` describes, and for its server. The server, by number in place of a line, of
/// the template that there is then: another CPU may have been faster. Unless the wish [insists](Wish::insisting).
#[inline(always)]
pub fn persist<T: Tables>(tables: &T, wish: &Wish) -> Outcome {
    let (Some(config), Some(template)) = (tables.config(0), template(tables, wish)) else {
        return Outcome::NO_SERVICE;
    };
    let place = place::of(config, template.client, tag(template.virtual_));
    let Some(header) = tables.flow(place.bucket * LINES) else {
        return Outcome::refused(Reason::TableFull);
    };
    if !lock(header) {
        return Outcome::refused(Reason::Contended);
    }
    let outcome = match renew(tables, &template, wish.state == state::TEMPLATE) {
        0 => make(tables, &template),
        dest => Outcome::line(dest),
    };
    header.store(LOCK, 0);
    outcome
}

/// The protocol of a template, as tags name it (of a call's, with [`TEMPLATE`]), and what it is for: the service's endpoint; for all ports of the virtual
/// address, if the service is for all ports or FTP's; for all protocols and addresses, if it is for a mark.
#[inline(always)]
fn ends<L: Line>(service: L, wish: &Wish) -> (u16, u64) {
    let own = Endpoint::unpack(service.load(service::ENDPOINT));
    let number = tag(wish.virtual_);
    if service.load(service::MODE) & service::MARK != 0 {
        let address = if is_ipv6(wish.client) { 0 } else { own.address };
        let mark = Endpoint { address, port: 0 };
        return (tag(wish.client) & (IPV6 | TEMPLATE), mark.pack(number));
    }
    let port = if own.host_port() == FTP { 0 } else { own.port };
    (tag(wish.client), with_port(wish.virtual_, port))
}

/// The server of the template that there is; 0 if there is none, or its server takes nobody, or is another one than is
/// `insisted` on.
#[inline(always)]
fn renew<T: Tables>(tables: &T, template: &Wish, insisted: bool) -> u32 {
    let number = find::line_by_client(tables, template.client, template.virtual_);
    if number == 0 {
        return 0;
    }
    let Some(line) = tables.flow(number) else {
        return 0;
    };
    let mut dest = 0;
    for _ in 0..TRIES {
        // Read first: if the word is still the same in the end, all that is read in between is the template's,
        // and not of another flow that has got the line.
        let seen = Control(line.load(CONTROL));
        let owner = Owner(line.load(OWNER));
        let ends = Words::load(line).ends(owner);
        if !seen.is_live() || ends.client != template.client || ends.virtual_ != template.virtual_ {
            return 0;
        }
        dest = owner.dest();
        if !takes(tables, dest) || insisted && dest != template.dest {
            invalidate(line, seen, template.now);
            return 0;
        }
        if line.compare_exchange(CONTROL, seen.0, seen.with_last_seen(template.now).0) {
            return dest;
        }
    }
    // Others keep renewing it.
    dest
}

/// Whether a server takes the clients of its templates: also at weight 0, unless
/// `expire_quiescent_template` is set.
#[inline(always)]
fn takes<T: Tables>(tables: &T, number: u32) -> bool {
    let (Some(settings), Some(sysctls)) = (tables.dest(number), tables.config(SYSCTLS)) else {
        return false;
    };
    let mode = settings.load(dest::MODE);
    let leaves_resting = Sysctls(sysctls.load(MODES)).expire_quiescent_template();
    mode & dest::FORWARDS != 0 && !(leaves_resting && mode & dest::RESTS != 0)
}

/// Makes a template, whose control word was `seen`, one that is not found. It stays as long as it would have, as
/// in IPVS. A port is in neither its hash nor anything else that its end needs.
#[inline(always)]
fn invalidate<L: Line>(line: L, seen: Control, now: u32) {
    let claimed = seen.claimed(now);
    if !line.compare_exchange(CONTROL, seen.0, claimed.0) {
        // It was renewed or ended in the meantime: whoever comes next will see.
        return;
    }
    if is_ipv6(line.load(CLIENT)) {
        line.store(DEST, line.load(DEST) | (NOBODY as u64) << 48);
    } else {
        line.store(VIRTUAL, with_port(line.load(VIRTUAL), NOBODY));
    }
    let (state, last_seen) = (seen.state(), seen.last_seen());
    let live = Control::new(Phase::Live, state, claimed.generation(), last_seen);
    line.store(CONTROL, live.0);
}

/// Keeps a template on, whose control word was `seen` when it was due: as if it had last been used at `last_seen`, and
/// from then on for the second number of ticks at a time instead of for the first. For the daemon, which ends
/// templates.
pub fn keep_on<L: Line>(line: L, seen: Control, last_seen: u32, [kept, on]: [u32; 2]) {
    let kept_on = seen.with_last_seen(last_seen);
    if line.compare_exchange(CONTROL, seen.0, kept_on.0) {
        // Not by a mere store: it may have given way to a flow just now.
        line.compare_exchange(KEPT, kept as u64, on as u64);
    }
}

/// Notes that the flow of `wish`, which was opened in line `number`, is kept by the template of `call`; unless the line has another flow
/// by now.
#[inline(always)]
pub fn tie<T: Tables>(tables: &T, number: u32, wish: &Wish, call: Call) {
    let Some(line) = tables.flow(number) else {
        return;
    };
    let Some(flow) = read(line, number) else {
        return;
    };
    let ends = flow.words.ends(flow.owner);
    if ends.client == wish.client && ends.virtual_ == wish.virtual_ {
        let none = Handshake::none(flow.control.generation()).0;
        line.compare_exchange(CALL, none, none | call.0 as u32 as u64);
    }
}

/// Makes the template.
#[inline(always)]
fn make<T: Tables>(tables: &T, template: &Wish) -> Outcome {
    let Some(config) = tables.config(0) else {
        return Outcome::NO_SERVICE;
    };
    // Not handed over: stack is dearer than time here.
    let place = place::of(config, template.client, tag(template.virtual_));
    let home = place.bucket * LINES + place.way;
    let line = acquire(tables, home, place.alternatives(), template.now);
    if line == 0 || !draft(tables, template, line, home) {
        return Outcome::refused(Reason::TableFull);
    }
    let service = tables.service(tag(template.virtual_) as u32);
    if let (Some(words), Some(service)) = (tables.flow(line), service) {
        words.store(KEPT, service.load(service::KEPT));
        // The client of a call, which is only there to be listed; of IPv6 it has words of its own.
        if Endpoint::unpack(template.client).port != 0 && !is_ipv6(template.client) {
            let Address([client, _]) = template.address;
            let client = Endpoint {
                address: client as u32,
                port: 0,
            };
            words.store(LOCAL, client.pack(tag(template.client)));
        }
    }
    let made = settle(tables, line, state::TEMPLATE, NOT_WANTED);
    if made.line == 0 {
        return made;
    }
    Outcome::line(template.dest)
}
