//! The table: every sysctl of IPVS, those that ferrovs has and those that have no meaning for it.
//!
//! Names and IPVS's defaults are those of Documentation/networking/ipvs-sysctl.rst and of
//! `ip_vs_control_net_init_sysctl`, `ip_vs_lblc.c` and `ip_vs_lblcr.c` in the kernel.

use serde::{Deserialize, Serialize};

use crate::MAX_TIMEOUT;

const DAY: u32 = 24 * 60 * 60;

/// A sysctl that ferrovs has, by its name in IPVS. [`SYSCTLS`] says what it is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Sysctl {
    /// `conn_reuse_mode`, a mode.
    ConnReuseMode,
    /// `expire_nodest_conn`, a switch.
    ExpireNodestConn,
    /// `expire_quiescent_template`, a switch.
    ExpireQuiescentTemplate,
    /// `lblc_expiration`, seconds.
    LblcExpiration,
    /// `lblcr_expiration`, seconds.
    LblcrExpiration,
    /// `nat_icmp_send`, a switch.
    NatIcmpSend,
    /// `sloppy_sctp`, a switch.
    SloppySctp,
    /// `sloppy_tcp`, a switch.
    SloppyTcp,
}

/// What there is to know about a sysctl that ferrovs has.
#[derive(Debug)]
pub struct About {
    /// Which one.
    pub sysctl: Sysctl,
    /// Its name, as in IPVS.
    pub name: &'static str,
    /// Its value where nothing else was chosen.
    pub default: u32,
    /// The same in IPVS.
    pub ipvs: u32,
    /// Its largest value; the smallest is 0. IPVS takes any number, and anything but 0 as 1 for a switch.
    pub max: u32,
    /// What it decides, in a line.
    pub about: &'static str,
    /// Why the default is not that of IPVS; empty where it is.
    pub why: &'static str,
}

/// A sysctl of IPVS that has no meaning for ferrovs.
#[derive(Debug, Eq, PartialEq)]
pub struct Meaningless {
    /// Its name.
    pub name: &'static str,
    /// Its default in IPVS.
    pub ipvs: &'static str,
    /// Why it has none.
    pub why: &'static str,
}

/// The sysctls that ferrovs has, in the order of [`Sysctl`], which is that of their names.
pub static SYSCTLS: [About; 8] = [
    About {
        sysctl: Sysctl::ConnReuseMode,
        name: "conn_reuse_mode",
        default: 1,
        ipvs: 1,
        max: 3,
        about: "a SYN of a client's port whose connection has ended: 0 goes on to the same server, 1 is \
                scheduled anew, 2 and 3 also where only the client's side was seen to end (direct routing)",
        why: "",
    },
    About {
        sysctl: Sysctl::ExpireNodestConn,
        name: "expire_nodest_conn",
        default: 1,
        ipvs: 0,
        max: 1,
        about: "connections of a removed server: 0 drops their packets until it comes back or they expire, 1 \
                ends them, so that what comes next is scheduled anew, and so is a SYN on a connection whose \
                server has weight 0",
        why: "a client of a removed server hears nothing until its connection expires, which in IPVS each \
              further packet puts off; whoever drives IPVS by a program turns this on. To let connections \
              end by themselves, give a server weight 0 before it is removed",
    },
    About {
        sysctl: Sysctl::ExpireQuiescentTemplate,
        name: "expire_quiescent_template",
        default: 1,
        ipvs: 0,
        max: 1,
        about: "new connections of a persistent client whose server has weight 0: 0 keeps them there, 1 has \
                another server picked",
        why: "weight 0 is to empty a server, and persistent clients would keep it busy for ever; what is \
              open stays where it is either way",
    },
    About {
        sysctl: Sysctl::LblcExpiration,
        name: "lblc_expiration",
        default: DAY,
        ipvs: DAY,
        max: MAX_TIMEOUT,
        about: "seconds after which the scheduler lblc forgets an address that nobody asked for",
        why: "",
    },
    About {
        sysctl: Sysctl::LblcrExpiration,
        name: "lblcr_expiration",
        default: DAY,
        ipvs: DAY,
        max: MAX_TIMEOUT,
        about: "seconds after which the scheduler lblcr forgets an address that nobody asked for, and takes \
                the busiest server out of an address's set that did not change",
        why: "",
    },
    About {
        sysctl: Sysctl::NatIcmpSend,
        name: "nat_icmp_send",
        default: 0,
        ipvs: 0,
        max: 1,
        about: "a packet from a server's port that belongs to no connection: 0 leaves it to the kernel, 1 \
                answers with ICMP port unreachable",
        why: "",
    },
    About {
        sysctl: Sysctl::SloppySctp,
        name: "sloppy_sctp",
        default: 0,
        ipvs: 0,
        max: 1,
        about: "which SCTP packets open connections: 0 an INIT, 1 all but an ABORT",
        why: "",
    },
    About {
        sysctl: Sysctl::SloppyTcp,
        name: "sloppy_tcp",
        default: 0,
        ipvs: 0,
        max: 1,
        about: "which TCP segments open connections: 0 a SYN, 1 all but a RST",
        why: "",
    },
];

/// Why the sysctls of a defence against memory running out have no meaning.
const NO_SHORTAGE: &str = "the flow table is made once (`ferrovs run --flows`) and takes no more memory under \
                           load, so that there is no shortage to defend against";
/// Why those of connection synchronisation have none.
const NO_SYNC: &str = "connection synchronisation is not built";
/// Why those of the kernel's estimators have none.
const NO_ESTIMATORS: &str = "rates are measured by the daemon, which reads the counters every second; no kernel \
                             threads do it";
/// Why those of the sizes of hash tables have none.
const FIXED_TABLES: &str =
    "tables have a fixed size: `ferrovs run --flows` sets that of the flow table";

/// The sysctls of IPVS that have no meaning for ferrovs, in the order of their names.
pub static MEANINGLESS: [Meaningless; 27] = [
    meaningless("am_droprate", "10", NO_SHORTAGE),
    meaningless("amemthresh", "1024", NO_SHORTAGE),
    meaningless("backup_only", "0", NO_SYNC),
    meaningless(
        "cache_bypass",
        "0",
        "it is for firewall marks in front of transparent caches, which are not bypassed when no server is left",
    ),
    meaningless("conn_lfactor", "-4", FIXED_TABLES),
    meaningless(
        "conn_max",
        "1073741824",
        "`ferrovs run --flows` says for how many connections there is room",
    ),
    meaningless(
        "conntrack",
        "0",
        "packets are taken at the interface and pass neither netfilter nor its connection tracking",
    ),
    meaningless(
        "debug_level",
        "0",
        "the daemon logs what it does, and `ferrovs status` counts why packets were not forwarded",
    ),
    meaningless(
        "drop_entry",
        "0",
        "it is always on: when the flow table is full, half-open flows give way to new ones",
    ),
    meaningless("drop_packet", "0", NO_SHORTAGE),
    meaningless(
        "est_cpulist",
        "the kernel's housekeeping CPUs",
        NO_ESTIMATORS,
    ),
    meaningless("est_nice", "0", NO_ESTIMATORS),
    meaningless(
        "ignore_tunneled",
        "0",
        "a packet is looked at where it comes in, and once; what a tunnel unpacks, only if the tunnel's own \
         interface is hooked",
    ),
    meaningless(
        "pmtu_disc",
        "1",
        "a tunnel's packet always has the DF of the packet in it: programs cannot cut packets, so there is nothing to turn it off for",
    ),
    meaningless("run_estimation", "1", NO_ESTIMATORS),
    meaningless(
        "schedule_icmp",
        "0",
        "ICMP is left to the kernel; it opens no connections",
    ),
    meaningless(
        "secure_tcp",
        "0",
        "its protection is always on: a flow is safe from giving way to others only once its client has \
         acknowledged the server's own sequence number",
    ),
    meaningless(
        "snat_reroute",
        "1",
        "replies leave by the way that was found for their flow; there is no route of the packet to be \
         found again",
    ),
    meaningless("svc_lfactor", "-3", FIXED_TABLES),
    meaningless("sync_persist_mode", "0", NO_SYNC),
    meaningless("sync_ports", "1", NO_SYNC),
    meaningless("sync_qlen_max", "1/32 of the memory's pages", NO_SYNC),
    meaningless("sync_refresh_period", "0", NO_SYNC),
    meaningless("sync_retries", "0", NO_SYNC),
    meaningless("sync_sock_size", "0", NO_SYNC),
    meaningless("sync_threshold", "3 50", NO_SYNC),
    meaningless("sync_version", "1", NO_SYNC),
];

const fn meaningless(name: &'static str, ipvs: &'static str, why: &'static str) -> Meaningless {
    Meaningless { name, ipvs, why }
}
