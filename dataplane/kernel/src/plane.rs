//! Programs and tables of one network namespace: made anew, or found again on its interfaces.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use ferrovs_core::abi::LAYOUT;

use crate::{
    Error, Maps, Result, Sizes,
    load::{Loader, MapSet, Programs, TC_PROGRAM, XDP_PROGRAM, maps_of},
    net::{Query, Snapshot, XdpMode},
    sys::{self, ProgramInfo},
};

/// Programs and tables.
#[derive(Debug)]
pub struct DataPlane {
    /// The tables.
    pub maps: Maps,
    /// The programs over them.
    pub programs: Programs,
}

/// A program of ours that was found on an interface.
#[derive(Debug)]
pub(crate) struct Found {
    /// The program.
    pub(crate) program: OwnedFd,
    /// What the kernel knows about it.
    pub(crate) info: ProgramInfo,
    /// Index of the interface.
    pub(crate) interface: u32,
    /// The mode, for an XDP program.
    pub(crate) xdp: Option<XdpMode>,
}

impl DataPlane {
    /// Makes tables of these sizes and loads the tc program over them. Nothing is attached.
    ///
    /// # Errors
    /// What the kernel does not accept.
    pub fn create(sizes: &Sizes, filter_log2: u32) -> Result<Self> {
        let loader = Loader::new()?;
        let set = loader.create_maps(sizes)?;
        let tc = loader.load_program(TC_PROGRAM, &set)?;
        let maps = Maps::open(set)?;
        maps.initialize(sizes, filter_log2)?;
        let programs = Programs::new(tc, None);
        Ok(Self { maps, programs })
    }

    /// Finds the tables that programs of ours on the interfaces of this network namespace use, and
    /// loads this version's programs over them; programs that are there already and alike are taken as
    /// they are. `None` if there are none.
    ///
    /// # Errors
    /// [`Error::OtherLayout`] for tables of another version, which are left alone.
    pub fn recover() -> Result<Option<Self>> {
        let Some(left) = left()? else {
            return Ok(None);
        };
        let load = |name| {
            let loaded = Loader::new()?.load_program(name, &left.set)?;
            prefer_attached(loaded, &left.found)
        };
        let has_xdp = left.found.iter().any(|one| one.xdp.is_some());
        let xdp = has_xdp.then(|| load(XDP_PROGRAM)).transpose()?;
        let programs = Programs::new(load(TC_PROGRAM)?, xdp);
        Ok(Some(Self {
            maps: left.maps,
            programs,
        }))
    }
}

impl Maps {
    /// Finds the tables that programs of ours on the interfaces of this network namespace use, and loads
    /// nothing. `None` if there are none.
    ///
    /// # Errors
    /// [`Error::OtherLayout`] for tables of another version.
    pub fn recover() -> Result<Option<Self>> {
        Ok(left()?.map(|left| left.maps))
    }
}

/// What an earlier daemon has left.
struct Left {
    /// At least one.
    found: Vec<Found>,
    /// The tables of the first.
    set: MapSet,
    maps: Maps,
}

fn left() -> Result<Option<Left>> {
    let mut query = Query::new().map_err(Error::system("cannot ask for the network"))?;
    let network = Snapshot::take(&mut query).map_err(Error::system("cannot see the network"))?;
    let found = find(&network)?;
    let Some(first) = found.first() else {
        return Ok(None);
    };
    let set = maps_of(first.program.as_fd())?;
    let interface = network.links.get(&first.interface);
    let other_layout = |found| Error::OtherLayout {
        interface: interface.map_or_else(String::new, |link| link.name.clone()),
        found,
        ours: LAYOUT,
    };
    // Tables so unlike ours that they cannot even be opened are of no layout at all.
    let maps = Maps::open(maps_of(first.program.as_fd())?).map_err(|_| other_layout(0))?;
    if maps.layout() != LAYOUT {
        return Err(other_layout(maps.layout()));
    }
    Ok(Some(Left { found, set, maps }))
}

/// The program that is attached already, if it does the same over the same tables as the one that was
/// just loaded.
fn prefer_attached(loaded: OwnedFd, found: &[Found]) -> Result<OwnedFd> {
    let problem = "cannot look at a program";
    let info = sys::program_info(loaded.as_fd()).map_err(Error::system(problem))?;
    let tables: Vec<u32> = sorted(&info.maps);
    let alike = found.iter().find(|one| {
        one.info.name == info.name && one.info.tag == info.tag && sorted(&one.info.maps) == tables
    });
    match alike {
        Some(one) => one.program.try_clone().map_err(Error::system(problem)),
        None => Ok(loaded),
    }
}

fn sorted(numbers: &[u32]) -> Vec<u32> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers
}

/// All programs of ours on the interfaces of a network.
pub(crate) fn find(network: &Snapshot) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for link in network.links.values() {
        let tc = match sys::tcx_query(link.index) {
            Ok(programs) => programs,
            // The interface has gone in the meantime.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
            Err(error) => return Err(query_failed(error)),
        };
        let tc = tc.into_iter().map(|id| (None, id));
        let xdp = link.xdp.iter().map(|&(mode, id)| (Some(mode), id));
        for (xdp, id) in tc.chain(xdp) {
            let Some((program, info)) = open(id)? else {
                continue;
            };
            let ours = match xdp {
                Some(_) => info.name == XDP_PROGRAM,
                None => info.name == TC_PROGRAM,
            };
            if ours {
                found.push(Found {
                    program,
                    info,
                    interface: link.index,
                    xdp,
                });
            }
        }
    }
    Ok(found)
}

fn open(id: u32) -> Result<Option<(OwnedFd, ProgramInfo)>> {
    let problem = "cannot look at the programs on the interfaces";
    let program = match sys::program_by_id(id) {
        Ok(program) => program,
        // It has gone in the meantime.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => {
            return Err(Error::System {
                what: problem,
                error,
            });
        }
    };
    let info = sys::program_info(program.as_fd()).map_err(Error::system(problem))?;
    Ok(Some((program, info)))
}

fn query_failed(error: io::Error) -> Error {
    Error::System {
        what: "cannot ask for the programs on the interfaces",
        error,
    }
}
