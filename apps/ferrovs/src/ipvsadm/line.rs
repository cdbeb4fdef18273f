//! One command line, read from left to right: what was typed, not yet what it means.

use std::net::IpAddr;

use ferrovs_model::{MAX_TIMEOUT, Netmask, Protocol, SchedulerFlags, TunnelChecksum};

use super::{
    failure::Failure,
    names::Names,
    options,
    popt::{Name, Takes, Words},
    table::{Command, Opt, OptionRow, Row},
};

/// The scheduler of a service that names none.
const DEFAULT_SCHEDULER: &str = "wlc";

/// Takes the value of an option in. An option without a value gets an empty one.
pub(super) type Reader = fn(&mut Line, &str, &dyn Names) -> Result<(), Failure>;

/// What was typed.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) command: Command,
    pub(super) given: Given,
    pub(super) service: Option<Target>,
    /// Empty when it is left to the default.
    pub(super) scheduler: String,
    /// As typed: what it means depends on the scheduler, which may come after it.
    pub(super) flags_text: String,
    pub(super) flags: SchedulerFlags,
    /// Seconds; none for a service that does not keep clients.
    pub(super) persistent: Option<u32>,
    pub(super) netmask: Netmask,
    /// Empty for none.
    pub(super) engine: String,
    pub(super) one_packet: bool,
    pub(super) server: Option<Server>,
    pub(super) method: Method,
    pub(super) weight: u32,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) tunnel: Tunnel,
    pub(super) tunnel_port: u16,
    pub(super) checksum: TunnelChecksum,
    /// TCP, TCP after FIN and UDP, in seconds; 0 keeps one as it is.
    pub(super) timeouts: [u32; 3],
}

/// A virtual service as it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Address {
        protocol: Protocol,
        ip: IpAddr,
        port: u16,
    },
    Mark {
        mark: u32,
        ipv6: bool,
    },
}

impl Target {
    /// The port to which a server's port defaults.
    pub(super) const fn port(self) -> u16 {
        match self {
            Self::Address { port, .. } => port,
            Self::Mark { .. } => 0,
        }
    }

    /// The protocol whose names ports may have.
    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Address { protocol, .. } => protocol,
            Self::Mark { .. } => Protocol::Tcp,
        }
    }

    pub(super) const fn is_ipv6(self) -> bool {
        match self {
            Self::Address { ip, .. } => ip.is_ipv6(),
            Self::Mark { ipv6, .. } => ipv6,
        }
    }
}

/// A real server as it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Server {
    pub(super) ip: IpAddr,
    pub(super) port: u16,
}

/// A forwarding method.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Method {
    Masq,
    FullNat,
    Auto,
    #[default]
    Route,
    Tunnel,
}

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Tunnel {
    #[default]
    Ipip,
    Gue,
    Gre,
}

impl Tunnel {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Gue => "gue",
            Self::Gre => "gre",
        }
    }
}

/// Which kinds of option were given.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given(u64);

impl Given {
    pub(super) const fn has(self, opt: Opt) -> bool {
        self.0 & (1 << opt as u32) != 0
    }

    pub(super) fn has_any(self, opts: &[Opt]) -> bool {
        opts.iter().any(|&opt| self.has(opt))
    }

    fn add(&mut self, opt: Opt) -> Result<(), Failure> {
        if self.has(opt) {
            return Err(Failure::usage(format!(
                "multiple '{}' options specified",
                opt.name()
            )));
        }
        self.0 |= 1 << opt as u32;
        Ok(())
    }
}

impl Line {
    const fn new(command: Command) -> Self {
        Self {
            command,
            given: Given(0),
            service: None,
            scheduler: String::new(),
            flags_text: String::new(),
            flags: SchedulerFlags::NONE,
            persistent: None,
            netmask: Netmask::single(false),
            engine: String::new(),
            one_packet: false,
            server: None,
            method: Method::Route,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel::Ipip,
            tunnel_port: 0,
            checksum: TunnelChecksum::None,
            timeouts: [0; 3],
        }
    }

    /// Reads the words after the program's name, `program`. The first mistake ends it.
    pub(super) fn read(
        program: &str,
        words: &[String],
        names: &dyn Names,
    ) -> Result<Self, Failure> {
        if words.is_empty() {
            return Ok(Self::new(Command::List));
        }
        let mut words = Words::new(words);
        let mut line = match words.next_option(find) {
            Some(Ok((Row::Command(row), value))) => {
                let line = Self::new(row.command);
                check_daemon(row.command, value)?;
                line
            }
            _ => {
                return Err(Failure::no_command(program));
            }
        };
        if matches!(line.command, Command::Help | Command::Version) {
            return Ok(line);
        }
        while let Some(next) = words.next_option(find) {
            match next {
                Ok((Row::Option(row), value)) => {
                    line.take(row, value.unwrap_or(row.absent), names)?;
                }
                Ok((Row::Command(_), _)) => {
                    let word = words.last_word();
                    return Err(Failure::usage(format!("invalid option `{word}'")));
                }
                Err(trouble) => {
                    let word = words.last_word();
                    return Err(Failure::refused(format!("{word}: {}", trouble.as_str())));
                }
            }
        }
        line.take_arguments(&words.arguments)?;
        line.flags = options::flags(&line.flags_text, line.scheduler())?;
        Ok(line)
    }

    /// The scheduler's name, typed or not.
    pub(super) const fn scheduler(&self) -> &str {
        if self.scheduler.is_empty() {
            DEFAULT_SCHEDULER
        } else {
            self.scheduler.as_str()
        }
    }

    fn take(&mut self, row: &OptionRow, value: &str, names: &dyn Names) -> Result<(), Failure> {
        if let Some(opt) = row.opt {
            self.given.add(opt)?;
        }
        (row.read)(self, value, names)
    }

    /// Only `--set` has words that belong to no option.
    fn take_arguments(&mut self, arguments: &[&str]) -> Result<(), Failure> {
        let mut arguments = arguments;
        if self.command == Command::Set {
            let Some((timeouts, rest)) = arguments.split_first_chunk::<3>() else {
                return Err(Failure::usage("--set option requires 3 timeout values"));
            };
            for (kept, text) in self.timeouts.iter_mut().zip(timeouts) {
                *kept = options::seconds(text, 0..=MAX_TIMEOUT)?;
            }
            arguments = rest;
        }
        match arguments.first() {
            Some(extra) => Err(Failure::usage(format!("unexpected argument {extra}"))),
            None => Ok(()),
        }
    }
}

fn find(name: Name<'_>) -> Option<(Row, Takes)> {
    let row = Row::all().find(|row| row.spelling().is(name))?;
    Some((row, row.spelling().takes))
}

fn check_daemon(command: Command, value: Option<&str>) -> Result<(), Failure> {
    if matches!(value, None | Some("master" | "backup")) {
        return Ok(());
    }
    Err(Failure::usage(match command {
        Command::StartDaemon => "illegal start-daemon parameter specified",
        _ => "illegal start_daemon specified",
    }))
}
