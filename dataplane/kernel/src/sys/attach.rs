//! Programs on the tcx ingress hook of an interface, attached without a link: they stay when the
//! process ends, and go with the interface.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use super::{Attributes, Command, address, bpf};

/// `BPF_TCX_INGRESS`.
const INGRESS: u32 = 46;
/// `BPF_F_REPLACE`.
const REPLACE: u32 = 1 << 2;
/// `BPF_F_BEFORE`: without a program named, before all others.
const BEFORE: u32 = 1 << 3;
/// More programs than anyone attaches to one interface (the kernel's own limit is 64).
const PROGRAMS: usize = 64;

/// Where a program goes.
#[derive(Clone, Copy, Debug)]
pub enum Tcx<'a> {
    /// Before all programs that are there.
    First,
    /// In the place of this one, in one step.
    InPlaceOf(BorrowedFd<'a>),
}

#[repr(C)]
#[derive(Default)]
struct Attach {
    interface: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
    replaced: u32,
    relative: u32,
    revision: u64,
}

// SAFETY: the part of `union bpf_attr` for BPF_PROG_ATTACH and BPF_PROG_DETACH.
unsafe impl Attributes for Attach {}

#[repr(C)]
#[derive(Default)]
struct Query {
    interface: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    reserved: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

// SAFETY: the part of `union bpf_attr` for BPF_PROG_QUERY.
unsafe impl Attributes for Query {}

/// Attaches a program to the ingress of an interface.
///
/// # Errors
/// `ENODEV` without such an interface, `EINVAL` on kernels before 6.6, `EEXIST` if it is there already.
pub fn tcx_attach(interface: u32, program: BorrowedFd<'_>, place: Tcx<'_>) -> io::Result<()> {
    let (flags, replaced) = match place {
        Tcx::First => (BEFORE, 0),
        Tcx::InPlaceOf(old) => (REPLACE, old.as_raw_fd() as u32),
    };
    let mut attributes = Attach {
        interface,
        program: program.as_raw_fd() as u32,
        attach_type: INGRESS,
        flags,
        replaced,
        ..Attach::default()
    };
    // SAFETY: no addresses in it.
    unsafe { bpf(Command::ProgAttach, &mut attributes) }.map(drop)
}

/// Takes a program away from the ingress of an interface.
///
/// # Errors
/// `ENOENT` if it is not there, `ENODEV` without such an interface.
pub fn tcx_detach(interface: u32, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = Attach {
        interface,
        program: program.as_raw_fd() as u32,
        attach_type: INGRESS,
        ..Attach::default()
    };
    // SAFETY: no addresses in it.
    unsafe { bpf(Command::ProgDetach, &mut attributes) }.map(drop)
}

/// Numbers of the programs at the ingress of an interface, in the order in which they run.
///
/// # Errors
/// `EINVAL` on kernels before 6.6, `ENODEV` without such an interface.
pub fn tcx_query(interface: u32) -> io::Result<Vec<u32>> {
    let mut programs = [0_u32; PROGRAMS];
    let mut attributes = Query {
        interface,
        attach_type: INGRESS,
        programs: address(programs.as_mut_ptr()),
        count: PROGRAMS as u32,
        ..Query::default()
    };
    // SAFETY: the array has room for as many numbers as `count` says.
    match unsafe { bpf(Command::ProgQuery, &mut attributes) } {
        Ok(_) => Ok(programs[..attributes.count.min(PROGRAMS as u32) as usize].to_vec()),
        // No program was ever attached here.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
