//! What the tables of a director take of the kernel's memory.

use std::{fs, os::fd::AsFd, os::fd::AsRawFd};

use aya::{maps::MapInfo, programs::loaded_programs};

/// Bytes of all maps that the programs of this daemon use, by the kernel's own account: arrays, and
/// hash maps with what is in them now.
pub(crate) fn bytes(daemon: u32) -> u64 {
    let held = programs_of(daemon);
    let programs = loaded_programs().map(Result::unwrap);
    let mut maps: Vec<u32> = programs
        .filter(|program| held.contains(&program.id()))
        .flat_map(|program| program.map_ids().unwrap().unwrap())
        .collect();
    maps.sort_unstable();
    maps.dedup();
    assert!(maps.len() > 5, "only {} maps", maps.len());
    maps.into_iter().map(bytes_of).sum()
}

/// The numbers of the programs that a process holds open.
fn programs_of(process: u32) -> Vec<u32> {
    let files = fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap();
    let texts = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
    texts.filter_map(|text| field(&text, "prog_id:")).collect()
}

fn bytes_of(map: u32) -> u64 {
    let map = MapInfo::from_id(map).unwrap().fd().unwrap();
    let path = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
    field(&fs::read_to_string(path).unwrap(), "memlock:").unwrap()
}

fn field<T: std::str::FromStr>(text: &str, name: &str) -> Option<T> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}
