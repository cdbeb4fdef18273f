//! What the kernel knows about a program or a map, and finding one by its number.

use std::{
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use super::{Attributes, Command, address, bpf, bpf_fd};

/// Bytes of an object's name, the final zero included (`BPF_OBJ_NAME_LEN`).
const NAME: usize = 16;
/// More maps than a program of ours uses.
const MAPS: usize = 64;

/// A program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramInfo {
    /// Its number in the kernel.
    pub id: u32,
    /// Its name, cut to 15 bytes.
    pub name: String,
    /// Hash of its instructions.
    pub tag: [u8; 8],
    /// Numbers of the maps it uses.
    pub maps: Vec<u32>,
}

/// A map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MapInfo {
    /// Its number in the kernel.
    pub id: u32,
    /// Its name, cut to 15 bytes.
    pub name: String,
    /// Bytes of a value.
    pub value_size: u32,
    /// Elements it has, or has room for.
    pub max_entries: u32,
}

#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    open_flags: u32,
}

// SAFETY: the part of `union bpf_attr` for BPF_*_GET_FD_BY_ID.
unsafe impl Attributes for ById {}

#[repr(C)]
#[derive(Default)]
struct InfoByFd {
    fd: u32,
    length: u32,
    info: u64,
}

// SAFETY: the part of `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD.
unsafe impl Attributes for InfoByFd {}

/// The first fields of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct RawProgram {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    xlated_length: u32,
    jited: u64,
    xlated: u64,
    load_time: u64,
    user: u32,
    map_count: u32,
    maps: u64,
    name: [u8; NAME],
}

/// The first fields of `struct bpf_map_info`.
#[repr(C)]
#[derive(Default)]
struct RawMap {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    name: [u8; NAME],
}

/// Opens the program with this number.
///
/// # Errors
/// `ENOENT` if there is none, `EPERM` without `CAP_SYS_ADMIN`.
pub fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attributes = ById {
        id,
        ..ById::default()
    };
    // SAFETY: no addresses in it; the answer is a descriptor.
    unsafe { bpf_fd(Command::ProgById, &mut attributes) }
}

/// Opens the map with this number.
///
/// # Errors
/// As [`program_by_id`].
pub fn map_by_id(id: u32) -> io::Result<OwnedFd> {
    let mut attributes = ById {
        id,
        ..ById::default()
    };
    // SAFETY: no addresses in it; the answer is a descriptor.
    unsafe { bpf_fd(Command::MapById, &mut attributes) }
}

/// What the kernel knows about an open program.
///
/// # Errors
/// When `program` is none.
pub fn program_info(program: BorrowedFd<'_>) -> io::Result<ProgramInfo> {
    let mut maps = [0_u32; MAPS];
    let mut raw = RawProgram {
        map_count: MAPS as u32,
        maps: address(maps.as_mut_ptr()),
        ..RawProgram::default()
    };
    // SAFETY: `raw` is what the kernel writes for a program, and the map array as long as it says.
    unsafe { info(program, &mut raw) }?;
    Ok(ProgramInfo {
        id: raw.id,
        name: text(&raw.name),
        tag: raw.tag,
        maps: maps[..raw.map_count.min(MAPS as u32) as usize].to_vec(),
    })
}

/// What the kernel knows about an open map.
///
/// # Errors
/// When `map` is none.
pub fn map_info(map: BorrowedFd<'_>) -> io::Result<MapInfo> {
    let mut raw = RawMap::default();
    // SAFETY: `raw` is what the kernel writes for a map, and holds no addresses.
    unsafe { info(map, &mut raw) }?;
    Ok(MapInfo {
        id: raw.id,
        name: text(&raw.name),
        value_size: raw.value_size,
        max_entries: raw.max_entries,
    })
}

/// Bytes that an open map takes now, with what is in it.
///
/// # Errors
/// When the kernel does not say.
pub fn map_memory(map: BorrowedFd<'_>) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd()))?;
    let bytes = text.lines().find_map(|line| line.strip_prefix("memlock:"));
    let bytes = bytes.and_then(|bytes| bytes.trim().parse().ok());
    bytes.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// # Safety
/// `T` is a prefix of the info structure of this kind of object, and addresses in it are good.
unsafe fn info<T>(object: BorrowedFd<'_>, raw: &mut T) -> io::Result<()> {
    let mut attributes = InfoByFd {
        fd: object.as_raw_fd() as u32,
        length: size_of::<T>() as u32,
        info: address(std::ptr::from_mut(raw)),
    };
    // SAFETY: the kernel writes at most `length` bytes there; the rest is the caller's promise.
    unsafe { bpf(Command::Info, &mut attributes) }.map(drop)
}

fn text(name: &[u8]) -> String {
    let end = name.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned()
}
