//! The grammar of `ipvsadm`, as data.
//!
//! Three tables, of which everything else follows: [`OPTS`] are the kinds of option that commands
//! allow or demand, [`COMMANDS`] says which, and [`OPTIONS`] are the spellings and how each value is
//! read. The order of [`OPTS`] is the order in which a command line is checked, so that of several
//! mistakes the same one is named as by ipvsadm 1.31.

use super::{
    line::{Line, Reader},
    options,
    popt::{Spelling, Takes},
};

/// What a command line asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Command {
    AddService,
    EditService,
    DeleteService,
    Clear,
    AddServer,
    EditServer,
    DeleteServer,
    List,
    Zero,
    Set,
    Restore,
    Save,
    StartDaemon,
    StopDaemon,
    Help,
    Version,
}

/// A kind of option. Several spellings may be one kind: `-t` and `-u` are both a service address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opt {
    Numeric,
    Connection,
    Service,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Forwarding,
    Weight,
    UThreshold,
    LThreshold,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    SyncId,
    Exact,
    Ops,
    Pe,
    SchedFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunInfo,
    TunType,
    TunPort,
    TunNocsum,
    TunCsum,
    TunRemcsum,
}

/// The kinds of option and their names in messages, in the order in which they are checked (that of
/// [`Opt`]).
#[rustfmt::skip]
pub(super) const OPTS: &[(Opt, &str)] = &[
    (Opt::Numeric, "numeric"),
    (Opt::Connection, "connection"),
    (Opt::Service, "service-address"),
    (Opt::Scheduler, "scheduler"),
    (Opt::Persistent, "persistent"),
    (Opt::Netmask, "netmask"),
    (Opt::RealServer, "real-server"),
    (Opt::Forwarding, "forwarding-method"),
    (Opt::Weight, "weight"),
    (Opt::UThreshold, "u-threshold"),
    (Opt::LThreshold, "l-threshold"),
    (Opt::McastInterface, "mcast-interface"),
    (Opt::Timeout, "timeout"),
    (Opt::Daemon, "daemon"),
    (Opt::Stats, "stats"),
    (Opt::Rate, "rate"),
    (Opt::Thresholds, "thresholds"),
    (Opt::PersistentConn, "persistent-conn"),
    (Opt::NoSort, "nosort"),
    (Opt::SyncId, "syncid"),
    (Opt::Exact, "exact"),
    (Opt::Ops, "ops"),
    (Opt::Pe, "pe"),
    (Opt::SchedFlags, "sched-flags"),
    (Opt::McastGroup, "mcast-group"),
    (Opt::McastPort, "mcast-port"),
    (Opt::McastTtl, "mcast-ttl"),
    (Opt::SyncMaxlen, "sync-maxlen"),
    (Opt::TunInfo, "tun-info"),
    (Opt::TunType, "tun-type"),
    (Opt::TunPort, "tun-port"),
    (Opt::TunNocsum, "tun-nocsum"),
    (Opt::TunCsum, "tun-csum"),
    (Opt::TunRemcsum, "tun-remcsum"),
];

impl Opt {
    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        OPTS[self as usize].1
    }
}

/// One command, and which options it goes with.
pub(super) struct CommandRow {
    pub(super) command: Command,
    pub(super) spelling: Spelling,
    /// Its name in messages.
    pub(super) name: &'static str,
    pub(super) required: &'static [Opt],
    pub(super) allowed: &'static [Opt],
    /// Of these only one.
    pub(super) exclusive: &'static [Opt],
    /// The name of its argument and what it does, for the help.
    pub(super) help: (&'static str, &'static str),
}

const SERVICE: &[Opt] = &[Opt::Service];
const SERVICE_SETTINGS: &[Opt] = &[
    Opt::Scheduler,
    Opt::Persistent,
    Opt::Netmask,
    Opt::Ops,
    Opt::Pe,
    Opt::SchedFlags,
];
const SERVER: &[Opt] = &[Opt::Service, Opt::RealServer];
const SERVER_SETTINGS: &[Opt] = &[
    Opt::Forwarding,
    Opt::Weight,
    Opt::UThreshold,
    Opt::LThreshold,
    Opt::TunType,
    Opt::TunPort,
    Opt::TunNocsum,
    Opt::TunCsum,
    Opt::TunRemcsum,
];
const LISTING: &[Opt] = &[
    Opt::Numeric,
    Opt::Stats,
    Opt::Rate,
    Opt::Thresholds,
    Opt::PersistentConn,
    Opt::NoSort,
    Opt::SyncId,
    Opt::Exact,
    Opt::TunInfo,
];
const LISTED: &[Opt] = &[Opt::Connection, Opt::Service, Opt::Timeout, Opt::Daemon];
const SYNC: &[Opt] = &[
    Opt::McastInterface,
    Opt::SyncId,
    Opt::McastGroup,
    Opt::McastPort,
    Opt::McastTtl,
    Opt::SyncMaxlen,
];

/// The commands. A command line begins with one of them.
#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandRow] = &[
    CommandRow {
        command: Command::AddService, spelling: short("add-service", "A"), name: "add-service",
        required: SERVICE, allowed: SERVICE_SETTINGS, exclusive: &[],
        help: ("SERVICE", "add a virtual service"),
    },
    CommandRow {
        command: Command::EditService, spelling: short("edit-service", "E"), name: "edit-service",
        required: SERVICE, allowed: SERVICE_SETTINGS, exclusive: &[],
        help: ("SERVICE", "give a virtual service other settings"),
    },
    CommandRow {
        command: Command::DeleteService, spelling: short("delete-service", "D"), name: "delete-service",
        required: SERVICE, allowed: &[], exclusive: &[],
        help: ("SERVICE", "delete a virtual service and its real servers"),
    },
    CommandRow {
        command: Command::Clear, spelling: short("clear", "C"), name: "flush",
        required: &[], allowed: &[], exclusive: &[],
        help: ("", "delete all virtual services"),
    },
    CommandRow {
        command: Command::Restore, spelling: short("restore", "R"), name: "restore",
        required: &[], allowed: &[], exclusive: &[],
        help: ("", "read commands from standard input"),
    },
    CommandRow {
        command: Command::Save, spelling: short("save", "S"), name: "save",
        required: &[], allowed: &[Opt::Numeric], exclusive: &[],
        help: ("", "print the commands that make the present table"),
    },
    CommandRow {
        command: Command::AddServer, spelling: short("add-server", "a"), name: "add-server",
        required: SERVER, allowed: SERVER_SETTINGS, exclusive: &[],
        help: ("SERVICE -r SERVER", "add a real server to a service"),
    },
    CommandRow {
        command: Command::EditServer, spelling: short("edit-server", "e"), name: "edit-server",
        required: SERVER, allowed: SERVER_SETTINGS, exclusive: &[],
        help: ("SERVICE -r SERVER", "give a real server other settings"),
    },
    CommandRow {
        command: Command::DeleteServer, spelling: short("delete-server", "d"), name: "delete-server",
        required: SERVER, allowed: &[], exclusive: &[],
        help: ("SERVICE -r SERVER", "delete a real server of a service"),
    },
    CommandRow {
        command: Command::List, spelling: short("list", "Ll"), name: "list",
        required: &[], allowed: LISTING, exclusive: LISTED,
        help: ("[SERVICE]", "list services and real servers, or what is chosen below"),
    },
    CommandRow {
        command: Command::Zero, spelling: short("zero", "Z"), name: "zero",
        required: &[], allowed: SERVICE, exclusive: &[],
        help: ("[SERVICE]", "set the counters of one service or of all to zero"),
    },
    CommandRow {
        command: Command::Set, spelling: long("set"), name: "set",
        required: &[], allowed: &[], exclusive: &[],
        help: ("TCP TCPFIN UDP", "set the timeouts in seconds; 0 keeps one as it is"),
    },
    CommandRow {
        command: Command::StartDaemon, spelling: long("start-daemon").taking(Takes::Value), name: "start-daemon",
        required: &[], allowed: SYNC, exclusive: &[],
        help: ("master|backup", "start to synchronise connections (not yet)"),
    },
    CommandRow {
        command: Command::StopDaemon, spelling: long("stop-daemon").taking(Takes::Value), name: "stop-daemon",
        required: &[], allowed: &[Opt::SyncId], exclusive: &[],
        help: ("master|backup", "stop to synchronise connections"),
    },
    CommandRow {
        command: Command::Help, spelling: short("help", "h"), name: "help",
        required: &[], allowed: &[], exclusive: &[],
        help: ("", "print this help"),
    },
    CommandRow {
        command: Command::Version, spelling: short("version", "v"), name: "version",
        required: &[], allowed: &[], exclusive: &[],
        help: ("", "print the version"),
    },
];

/// One spelling of an option.
pub(super) struct OptionRow {
    pub(super) spelling: Spelling,
    /// Its kind, which may be given once; none for what may be repeated.
    pub(super) opt: Option<Opt>,
    /// Takes the value in.
    pub(super) read: Reader,
    /// What is read where no value was typed.
    pub(super) absent: &'static str,
    /// The name of its value and what it does, for the help.
    pub(super) help: (&'static str, &'static str),
}

/// The options.
#[rustfmt::skip]
pub(super) const OPTIONS: &[OptionRow] = &[
    value("tcp-service", "t", Opt::Service, options::tcp_service, ("HOST[:PORT]", "SERVICE: TCP connections to there")),
    value("udp-service", "u", Opt::Service, options::udp_service, ("HOST[:PORT]", "SERVICE: UDP packets to there")),
    value("sctp-service", "", Opt::Service, options::sctp_service, ("HOST[:PORT]", "SERVICE: SCTP packets to there")),
    value("fwmark-service", "f", Opt::Service, options::fwmark_service, ("MARK", "SERVICE: packets with this firewall mark")),
    OptionRow {
        spelling: short("ipv6", "6"),
        opt: None,
        read: options::ipv6,
        absent: "",
        help: ("", "the service of -f is for IPv6"),
    },
    value("scheduler", "s", Opt::Scheduler, options::scheduler, ("NAME", "how a real server is chosen; wlc if not given; beside those of IPVS, ewma and mhb")),
    value("pe", "", Opt::Pe, options::persistence_engine, ("NAME", "persistence engine")),
    OptionRow {
        spelling: short("persistent", "p").taking(Takes::OptionalValue),
        opt: Some(Opt::Persistent),
        read: options::persistent,
        absent: "360",
        help: ("[SECONDS]", "keep a client on its server; 360 if not given"),
    },
    value("netmask", "M", Opt::Netmask, options::netmask, ("MASK", "which clients are kept together")),
    value("sched-flags", "b", Opt::SchedFlags, options::sched_flags, ("FLAG,...", "flags of the scheduler")),
    flag("ops", "o", Opt::Ops, options::one_packet, "choose a server for every packet"),
    value("real-server", "r", Opt::RealServer, options::real_server, ("HOST[:PORT]", "SERVER; the service's port if not given")),
    flag("masquerading", "m", Opt::Forwarding, options::masquerading, "forward by rewriting addresses (NAT)"),
    flag("fullnat", "", Opt::Forwarding, options::full_nat, "the same, with an address of the director in place of the client's"),
    flag("auto", "", Opt::Forwarding, options::auto, "-m, and --fullnat for clients in the server's own network"),
    flag("gatewaying", "g", Opt::Forwarding, options::gatewaying, "forward by direct routing (the default)"),
    flag("ipip", "i", Opt::Forwarding, options::tunneling, "forward through a tunnel"),
    value("weight", "w", Opt::Weight, options::weight, ("NUMBER", "the server's share of new connections; 1 if not given")),
    value("u-threshold", "x", Opt::UThreshold, options::u_threshold, ("NUMBER", "no new connections at this many")),
    value("l-threshold", "y", Opt::LThreshold, options::l_threshold, ("NUMBER", "new connections again below this many")),
    value("tun-type", "", Opt::TunType, options::tun_type, ("TYPE", "kind of tunnel: ipip, gue or gre")),
    value("tun-port", "", Opt::TunPort, options::tun_port, ("PORT", "port of a gue tunnel")),
    flag("tun-nocsum", "", Opt::TunNocsum, options::no_checksum, "tunnel without checksum"),
    flag("tun-csum", "", Opt::TunCsum, options::checksum, "tunnel with checksum"),
    flag("tun-remcsum", "", Opt::TunRemcsum, options::remote_checksum, "tunnel with remote checksum offload"),
    flag("numeric", "n", Opt::Numeric, options::nothing, "list addresses and ports as numbers"),
    flag("connection", "c", Opt::Connection, options::nothing, "list the connections"),
    flag("timeout", "", Opt::Timeout, options::nothing, "list the timeouts"),
    flag("daemon", "", Opt::Daemon, options::nothing, "list the synchronisation daemons"),
    flag("stats", "", Opt::Stats, options::nothing, "list connections, packets and bytes so far"),
    flag("rate", "", Opt::Rate, options::nothing, "list connections, packets and bytes a second"),
    flag("exact", "X", Opt::Exact, options::nothing, "list numbers with all their digits"),
    flag("thresholds", "", Opt::Thresholds, options::nothing, "list the thresholds"),
    flag("persistent-conn", "", Opt::PersistentConn, options::nothing, "list the persistent connections"),
    flag("tun-info", "", Opt::TunInfo, options::nothing, "list the tunnels"),
    flag("nosort", "", Opt::NoSort, options::nothing, "list real servers in the order of scheduling"),
    OptionRow {
        spelling: long("sort"),
        opt: None,
        read: options::nothing,
        absent: "",
        help: ("", "list in order of address, as is the default"),
    },
    value("syncid", "", Opt::SyncId, options::syncid, ("ID", "synchronise connections of this group")),
    value("sync-maxlen", "", Opt::SyncMaxlen, options::sync_maxlen, ("BYTES", "longest synchronisation message")),
    value("mcast-interface", "", Opt::McastInterface, options::nothing, ("NAME", "interface for synchronisation")),
    value("mcast-group", "", Opt::McastGroup, options::mcast_group, ("ADDRESS", "multicast group for synchronisation")),
    value("mcast-port", "", Opt::McastPort, options::mcast_port, ("PORT", "UDP port for synchronisation")),
    value("mcast-ttl", "", Opt::McastTtl, options::mcast_ttl, ("HOPS", "time to live of synchronisation messages")),
];

const fn short(long: &'static str, shorts: &'static str) -> Spelling {
    Spelling {
        long,
        shorts,
        takes: Takes::Nothing,
    }
}

const fn long(long: &'static str) -> Spelling {
    short(long, "")
}

const fn flag(
    long: &'static str,
    shorts: &'static str,
    opt: Opt,
    read: Reader,
    help: &'static str,
) -> OptionRow {
    OptionRow {
        spelling: short(long, shorts),
        opt: Some(opt),
        read,
        absent: "",
        help: ("", help),
    }
}

const fn value(
    long: &'static str,
    shorts: &'static str,
    opt: Opt,
    read: Reader,
    help: (&'static str, &'static str),
) -> OptionRow {
    OptionRow {
        spelling: short(long, shorts).taking(Takes::Value),
        opt: Some(opt),
        read,
        absent: "",
        help,
    }
}

/// The row of what was typed first, and of anything after it.
#[derive(Clone, Copy)]
pub(super) enum Row {
    Command(&'static CommandRow),
    Option(&'static OptionRow),
}

impl Row {
    /// All rows, for the parser.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let commands = COMMANDS.iter().map(Self::Command);
        commands.chain(OPTIONS.iter().map(Self::Option))
    }

    pub(super) const fn spelling(self) -> &'static Spelling {
        match self {
            Self::Command(row) => &row.spelling,
            Self::Option(row) => &row.spelling,
        }
    }
}

impl Line {
    /// The row of its command.
    pub(super) fn command_row(&self) -> Option<&'static CommandRow> {
        COMMANDS.iter().find(|row| row.command == self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_option_are_found_by_their_number() {
        for (number, &(opt, name)) in OPTS.iter().enumerate() {
            assert_eq!(opt as usize, number, "{name}");
        }
        assert_eq!(Opt::TunRemcsum as usize + 1, OPTS.len());
    }

    #[test]
    fn no_two_spellings_are_alike() {
        let mut longs: Vec<_> = Row::all().map(|row| row.spelling().long).collect();
        let mut shorts: Vec<_> = Row::all()
            .flat_map(|row| row.spelling().shorts.chars())
            .collect();
        longs.sort_unstable();
        shorts.sort_unstable();
        assert!(longs.is_sorted_by(|a, b| a < b), "{longs:?}");
        assert!(shorts.is_sorted_by(|a, b| a < b), "{shorts:?}");
    }
}
