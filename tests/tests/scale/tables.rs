//! What the tables of a director take of the kernel's memory.

use std::{collections::BTreeSet, fs, os::fd::AsFd};

use ferrovs_kernel::sys;

/// `BPF_MAP_TYPE_ARRAY_OF_MAPS`.
const ARRAY_OF_MAPS: u32 = 12;
/// The tables that are as large as they will ever be.
const SIZED_BY_FLOWS: [&str; 2] = ["FLOWS", "POINTERS"];

/// Bytes of all maps that the programs of this daemon use and of those that these hold, by the kernel's own
/// account: arrays, and hash maps with what is in them now.
pub(crate) fn bytes(daemon: u32) -> u64 {
    let maps = maps_of(daemon);
    assert!(maps.len() > 5, "only {} maps", maps.len());
    let inner: Vec<u32> = maps.iter().flat_map(|&map| held(map)).collect();
    maps.into_iter().chain(inner).map(bytes_of).sum()
}

/// Of these, bytes of the flow table and of the pointers to flows when there are none.
pub(crate) fn sized_by_flows(daemon: u32) -> u64 {
    let maps = maps_of(daemon).into_iter();
    let sized = maps.filter(|&id| {
        let map = sys::map_by_id(id).unwrap();
        let name = sys::map_info(map.as_fd()).unwrap().name;
        SIZED_BY_FLOWS.contains(&name.as_str())
    });
    sized.map(bytes_of).sum()
}

/// The numbers of the programs that a process holds open.
pub(crate) fn programs_of(process: u32) -> Vec<u32> {
    let files = fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    texts.filter_map(|text| field(&text, "prog_id:")).collect()
}

/// The numbers of the maps that its programs name.
fn maps_of(daemon: u32) -> BTreeSet<u32> {
    let programs = programs_of(daemon).into_iter();
    let maps = programs.flat_map(|id| {
        let program = sys::program_by_id(id).unwrap();
        sys::program_info(program.as_fd()).unwrap().maps
    });
    maps.collect()
}

/// The numbers of the maps in an array of maps; none if it is none.
fn held(map: u32) -> Vec<u32> {
    let map = sys::map_by_id(map).unwrap();
    let info = sys::map_info(map.as_fd()).unwrap();
    if info.kind != ARRAY_OF_MAPS {
        return Vec::new();
    }
    // SAFETY: keys and values of an array of maps are four bytes.
    let inner = |place: u32| unsafe { sys::lookup::<u32, u32>(map.as_fd(), &place) };
    let places = 0..info.max_entries;
    places.filter_map(|place| inner(place).unwrap()).collect()
}

fn bytes_of(map: u32) -> u64 {
    let map = sys::map_by_id(map).unwrap();
    sys::map_memory(map.as_fd()).unwrap()
}

fn field<T: std::str::FromStr>(text: &str, name: &str) -> Option<T> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}
