//! Attaching the programs where they are wanted, and taking them away.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use tracing::{info, warn};

use crate::{
    Error, Hooking, Kind, Programs, Result,
    net::{Query, Snapshot, XdpMode, errno},
    plane::{Found, find},
    sys::{self, Tcx},
};

/// Where programs sit now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// What was wanted.
    pub hooking: Hooking,
    /// The mode of the XDP program, if there is one.
    pub xdp: Option<XdpMode>,
}

impl Hook {
    /// The hook in a word: `tc`, `xdp` or `xdp-generic`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.xdp {
            None => "tc",
            Some(XdpMode::Generic) => "xdp-generic",
            Some(_) => "xdp",
        }
    }
}

/// What became of the wanted hooks.
pub(crate) struct Reconciled {
    /// Where programs sit now.
    pub(crate) hooks: Vec<Hook>,
    /// Interfaces where something could not be done, and what, in a sentence.
    pub(crate) failures: BTreeMap<u32, String>,
}

/// Makes the interfaces carry exactly the wanted programs. An interface that `may_fail` keeps what it
/// has when it cannot be hooked; after the failure of another one, what was attached before is taken
/// away again.
pub(crate) fn reconcile(
    query: &mut Query,
    programs: &Programs,
    wanted: &[Hooking],
    may_fail: impl Fn(u32) -> bool,
) -> Result<Reconciled> {
    let links = Snapshot::links(query).map_err(Error::system("cannot see the interfaces"))?;
    let found = find(&links)?;
    let mut hooks: Vec<Hook> = Vec::new();
    let mut failures = BTreeMap::new();
    for hooking in wanted {
        let here: Vec<_> = of_interface(&found, hooking.interface).collect();
        match attach(query, programs, hooking, &here) {
            Ok(hook) => hooks.push(hook),
            Err(error) if may_fail(hooking.interface) => {
                failures.insert(hooking.interface, error.to_string());
                if here.iter().any(|one| one.xdp.is_none()) {
                    hooks.push(Hook {
                        hooking: hooking.clone(),
                        xdp: here.iter().find_map(|one| one.xdp),
                    });
                }
            }
            Err(error) => {
                let is_fresh = |hook: &&Hook| {
                    of_interface(&found, hook.hooking.interface)
                        .next()
                        .is_none()
                };
                for hook in hooks.iter().filter(is_fresh) {
                    remove_fresh(query, programs, hook);
                }
                return Err(error);
            }
        }
    }
    for one in &found {
        let hook = hooks.iter().find(|h| h.hooking.interface == one.interface);
        let wanted = hook.is_some_and(|hook| one.xdp.is_none() || one.xdp == hook.xdp);
        if !wanted && let Err(error) = take_away(query, one) {
            let problem = "cannot take a program away";
            if !may_fail(one.interface) {
                return Err(Error::system(problem)(error));
            }
            failures.insert(one.interface, format!("{problem}: {error}"));
        }
    }
    Ok(Reconciled { hooks, failures })
}

/// Takes every program of ours away from the interfaces of this network namespace; the names of the
/// interfaces that had some.
///
/// # Errors
/// The last that went wrong, after all were tried.
pub(crate) fn detach_all() -> Result<Vec<String>> {
    let problem = "cannot take a program away";
    let mut query = Query::new().map_err(Error::system(problem))?;
    let network = Snapshot::links(&mut query).map_err(Error::system(problem))?;
    let mut names = Vec::new();
    let mut result = Ok(());
    for one in find(&network)? {
        if let Err(error) = take_away(&mut query, &one) {
            result = Err(Error::System {
                what: problem,
                error,
            });
        }
        if let Some(link) = network.links.get(&one.interface)
            && !names.contains(&link.name)
        {
            names.push(link.name.clone());
        }
    }
    result.map(|()| names)
}

fn of_interface(found: &[Found], interface: u32) -> impl Iterator<Item = &Found> {
    found.iter().filter(move |one| one.interface == interface)
}

fn attach(
    query: &mut Query,
    programs: &Programs,
    hooking: &Hooking,
    here: &[&Found],
) -> Result<Hook> {
    // The tc program first: XDP leaves packets to it.
    let tc = here.iter().find(|one| one.xdp.is_none());
    attach_tc(programs.tc.as_fd(), hooking, tc.copied())
        .map_err(|error| failed(hooking, "tc", &error))?;
    let xdp = match hooking.kind {
        Kind::Tc => None,
        Kind::Xdp => {
            let present = here.iter().find(|one| one.xdp.is_some());
            let attached = programs.xdp().and_then(|program| {
                attach_xdp(query, program, hooking, present.copied())
                    .map_err(|error| failed(hooking, "xdp", &error))
            });
            if attached.is_err() && tc.is_none() {
                // Nothing half-applied.
                let _ = sys::tcx_detach(hooking.interface, programs.tc.as_fd());
            }
            Some(attached?)
        }
    };
    Ok(Hook {
        hooking: hooking.clone(),
        xdp,
    })
}

fn attach_tc(program: BorrowedFd<'_>, hooking: &Hooking, here: Option<&Found>) -> io::Result<()> {
    let place = match here {
        Some(one) if one.info.id == sys::program_info(program)?.id => return Ok(()),
        Some(one) => Tcx::InPlaceOf(one.program.as_fd()),
        None => Tcx::First,
    };
    sys::tcx_attach(hooking.interface, program, place)
}

fn attach_xdp(
    query: &mut Query,
    program: BorrowedFd<'_>,
    hooking: &Hooking,
    here: Option<&Found>,
) -> io::Result<XdpMode> {
    if let Some((one, mode)) = here.and_then(|one| Some((one, one.xdp?))) {
        if one.info.id != sys::program_info(program)?.id {
            let expected = Some(one.program.as_fd());
            query.xdp_attach(hooking.interface, mode, program, expected)?;
        }
        return Ok(mode);
    }
    match query.xdp_attach(hooking.interface, XdpMode::Native, program, None) {
        Ok(()) => Ok(XdpMode::Native),
        Err(error) if errno(&error) == Some(libc::EOPNOTSUPP) => {
            warn!(
                interface = hooking.name,
                "its driver does not run XDP: the kernel does it instead, which is slower than --hook tc"
            );
            query.xdp_attach(hooking.interface, XdpMode::Generic, program, None)?;
            Ok(XdpMode::Generic)
        }
        Err(error) => Err(error),
    }
}

fn remove_fresh(query: &mut Query, programs: &Programs, hook: &Hook) {
    let interface = hook.hooking.interface;
    if let (Some(mode), Ok(program)) = (hook.xdp, programs.xdp())
        && let Err(error) = query.xdp_detach(interface, mode, program)
    {
        warn!(interface = hook.hooking.name, %error, "cannot take the xdp program away again");
    }
    if let Err(error) = sys::tcx_detach(interface, programs.tc.as_fd()) {
        warn!(interface = hook.hooking.name, %error, "cannot take the tc program away again");
    }
}

fn take_away(query: &mut Query, one: &Found) -> io::Result<()> {
    let taken = match one.xdp {
        Some(mode) => query.xdp_detach(one.interface, mode, one.program.as_fd()),
        None => sys::tcx_detach(one.interface, one.program.as_fd()),
    };
    match taken {
        // The interface, or the program on it, has gone in the meantime.
        Err(error) if matches!(errno(&error), Some(libc::ENODEV | libc::ENOENT)) => Ok(()),
        other => other,
    }
}

fn failed(hooking: &Hooking, hook: &'static str, error: &io::Error) -> Error {
    let reason = match errno(error) {
        Some(libc::EBUSY | libc::EEXIST) if hook == "xdp" => format!(
            "{error}: another XDP program is there (see `bpftool net`); remove it or use --hook tc"
        ),
        _ => error.to_string(),
    };
    Error::Attach {
        interface: hooking.name.clone(),
        hook,
        reason,
    }
}

/// Says in the log what has changed, one line for each interface. Another reason alone is no change.
pub(crate) fn report(before: &[Hook], now: &[Hook]) {
    let place = |hook: &Hook| (hook.hooking.interface, hook.hooking.anchor, hook.xdp);
    let is_new = |hook: &&Hook| !before.iter().any(|old| place(old) == place(hook));
    for hook in now.iter().filter(is_new) {
        let Hooking { name, reason, .. } = &hook.hooking;
        info!("{} on {name}: {reason}", hook.name());
    }
    let same = |one: &Hook, other: &Hook| one.hooking.interface == other.hooking.interface;
    for hook in before
        .iter()
        .filter(|old| !now.iter().any(|new| same(old, new)))
    {
        info!("{} is no longer hooked", hook.hooking.name);
    }
}
