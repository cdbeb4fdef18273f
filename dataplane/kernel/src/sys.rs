//! The few system calls of bpf(2) that no crate offers as they are needed here: programs attached
//! without a link, objects found by number, maps bound to programs.

mod attach;
mod info;
mod load;
mod map;

use std::{
    io,
    os::fd::{FromRawFd, OwnedFd},
};

pub use attach::{Tcx, tcx_attach, tcx_detach, tcx_query};
pub use info::{
    MapInfo, ProgramInfo, map_by_id, map_info, map_memory, program_by_id, program_info,
};
pub use load::{NewMap, NewProgram, create_map, load_btf, load_program};
pub use map::{bind_map, delete, lookup, next_key, put_map, update};

/// Commands of bpf(2), `enum bpf_cmd` in linux/bpf.h.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgLoad = 5,
    ProgAttach = 8,
    ProgDetach = 9,
    ProgById = 13,
    MapById = 14,
    Info = 15,
    ProgQuery = 16,
    BtfLoad = 18,
    BindMap = 35,
}

/// One of the shapes of `union bpf_attr`.
///
/// # Safety
/// The type is `repr(C)`, laid out as that command's part of the union, and has no padding.
unsafe trait Attributes {}

/// Calls bpf(2).
///
/// # Safety
/// Addresses in `attributes` point to memory that the kernel may read and write as `command` does.
unsafe fn bpf<A: Attributes>(command: Command, attributes: &mut A) -> io::Result<i32> {
    // SAFETY: the kernel reads and writes as many bytes of `attributes` as it is told to; the rest is
    // the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attributes),
            size_of::<A>(),
        )
    };
    match i32::try_from(result) {
        Ok(result) if result >= 0 => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// As [`bpf`], for commands that answer with a new descriptor.
///
/// # Safety
/// As for [`bpf`]; and `command` answers with a descriptor.
unsafe fn bpf_fd<A: Attributes>(command: Command, attributes: &mut A) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(command, attributes) }?;
    // SAFETY: the kernel has just made it for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of a value as bpf(2) takes addresses.
fn address<T: ?Sized>(value: *const T) -> u64 {
    value.cast::<u8>() as u64
}
