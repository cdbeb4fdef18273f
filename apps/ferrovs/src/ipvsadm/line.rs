//! One command line, read from left to right: what was typed, not yet what it means.

use std::net::IpAddr;

use ferrovs_model::{Forwarding, MAX_TIMEOUT};

use super::{
    failure::Failure,
    names::{Names, Transport},
    options,
    popt::{Name, Takes, Words},
    table::{Command, Opt, OptionRow, Row},
};

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
    pub(super) server: Option<Server>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) weight: Option<u32>,
    pub(super) tunnel: Tunnel,
    /// TCP, TCP after FIN and UDP, in seconds; 0 keeps one as it is.
    pub(super) timeouts: [u32; 3],
}

/// A virtual service as it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    Address {
        transport: Transport,
        ip: IpAddr,
        port: u16,
    },
    Mark {
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

    pub(super) const fn is_ipv6(self) -> bool {
        match self {
            Self::Address { ip, .. } => ip.is_ipv6(),
            Self::Mark { ipv6 } => ipv6,
        }
    }
}

/// A real server as it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Server {
    pub(super) ip: IpAddr,
    pub(super) port: u16,
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
            server: None,
            forwarding: None,
            weight: None,
            tunnel: Tunnel::Ipip,
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
                return Err(Failure::refused(format!(
                    "Try `{program} -h' or '{program} --help' for more information."
                )));
            }
        };
        if matches!(line.command, Command::Help | Command::Version) {
            return Ok(line);
        }
        while let Some(next) = words.next_option(find) {
            match next {
                Ok((Row::Option(row), value)) => line.take(row, value.unwrap_or(""), names)?,
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
        Ok(line)
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
