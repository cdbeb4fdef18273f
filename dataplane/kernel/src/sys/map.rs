//! Elements of hash maps.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use super::{Attributes, Command, address, bpf};

#[repr(C)]
#[derive(Default)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    /// The value, or the next key.
    value: u64,
    flags: u64,
}

// SAFETY: the part of `union bpf_attr` for BPF_MAP_*_ELEM and BPF_MAP_GET_NEXT_KEY.
unsafe impl Attributes for Element {}

#[repr(C)]
#[derive(Default)]
struct Bind {
    program: u32,
    map: u32,
    flags: u32,
}

// SAFETY: the part of `union bpf_attr` for BPF_PROG_BIND_MAP.
unsafe impl Attributes for Bind {}

/// What a map holds under a key; `None` if nothing.
///
/// # Safety
/// `K` and `V` have the sizes of the map's keys and values, and any bytes are a `V`.
///
/// # Errors
/// Those of bpf(2).
pub unsafe fn lookup<K, V: Default>(map: BorrowedFd<'_>, key: &K) -> io::Result<Option<V>> {
    let mut value = V::default();
    let mut attributes = element(map, Some(key), address(std::ptr::from_mut(&mut value)));
    // SAFETY: the sizes are the caller's promise.
    match unsafe { bpf(Command::MapLookup, &mut attributes) } {
        Ok(_) => Ok(Some(value)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores a value under a key. With `new`, only if there is none.
///
/// # Safety
/// `K` and `V` have the sizes of the map's keys and values.
///
/// # Errors
/// `EEXIST` if there is one and `new` was asked for, `E2BIG` or `ENOMEM` without room.
pub unsafe fn update<K, V>(map: BorrowedFd<'_>, key: &K, value: &V, new: bool) -> io::Result<()> {
    let mut attributes = element(map, Some(key), address(std::ptr::from_ref(value)));
    // BPF_NOEXIST
    attributes.flags = u64::from(new);
    // SAFETY: the sizes are the caller's promise.
    unsafe { bpf(Command::MapUpdate, &mut attributes) }.map(drop)
}

/// Forgets a key; whether it was there.
///
/// # Safety
/// `K` has the size of the map's keys.
///
/// # Errors
/// Those of bpf(2).
pub unsafe fn delete<K>(map: BorrowedFd<'_>, key: &K) -> io::Result<bool> {
    let mut attributes = element(map, Some(key), 0);
    // SAFETY: the size is the caller's promise.
    match unsafe { bpf(Command::MapDelete, &mut attributes) } {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The key after `key` in the map's own order, or the first one.
///
/// # Safety
/// `K` has the size of the map's keys, and any bytes are a `K`.
///
/// # Errors
/// Those of bpf(2).
pub unsafe fn next_key<K: Default>(map: BorrowedFd<'_>, key: Option<&K>) -> io::Result<Option<K>> {
    let mut next = K::default();
    let mut attributes = element(map, key, address(std::ptr::from_mut(&mut next)));
    // SAFETY: the size is the caller's promise.
    match unsafe { bpf(Command::MapNextKey, &mut attributes) } {
        Ok(_) => Ok(Some(next)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a map into an array of maps, which then holds it.
///
/// # Errors
/// `EINVAL` if it is not as the array's maps are, `E2BIG` if there is no such place.
pub fn put_map(array: BorrowedFd<'_>, place: u32, map: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: keys of an array of maps are four bytes, and so are values: descriptors when written.
    unsafe { update(array, &place, &map.as_raw_fd(), false) }
}

/// Makes a map live as long as a program, whether its instructions name it or not.
///
/// # Errors
/// `EINVAL` on kernels before 5.10.
pub fn bind_map(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = Bind {
        program: program.as_raw_fd() as u32,
        map: map.as_raw_fd() as u32,
        flags: 0,
    };
    // SAFETY: no addresses in it.
    unsafe { bpf(Command::BindMap, &mut attributes) }.map(drop)
}

fn element<K>(map: BorrowedFd<'_>, key: Option<&K>, value: u64) -> Element {
    Element {
        map: map.as_raw_fd() as u32,
        key: key.map_or(0, |key| address(std::ptr::from_ref(key))),
        value,
        ..Element::default()
    }
}
