//! `BPF_PROG_TEST_RUN`: one run of a loaded program on a packet of our choice.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

/// `BPF_PROG_TEST_RUN`.
const TEST_RUN: libc::c_long = 10;
/// Room for what a program may add to a packet; none of ours adds anything.
const ROOM: usize = 256;

/// The part of `union bpf_attr` for `BPF_PROG_TEST_RUN`.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    program: u32,
    result: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    reserved: u32,
}

/// `struct xdp_md`.
#[repr(C)]
#[derive(Default)]
struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_interface: u32,
    queue: u32,
    egress_interface: u32,
}

/// `struct __sk_buff` up to its interface; what follows is zero.
#[repr(C)]
#[derive(Default)]
struct SkbContext {
    /// `len` to `ingress_ifindex`, all of which must be zero or are not needed.
    unused: [u32; 10],
    interface: u32,
}

/// One run.
pub(crate) struct Run {
    /// What the program returned.
    pub result: u32,
    /// The packet as the program left it.
    pub bytes: Vec<u8>,
    /// How long it ran, nanoseconds.
    pub duration: u32,
}

/// Runs an XDP program on a frame from an interface of this thread's network namespace.
pub(crate) fn xdp(program: BorrowedFd<'_>, interface: u32, frame: &[u8]) -> io::Result<Run> {
    let context = XdpContext {
        data_end: frame.len() as u32,
        ingress_interface: interface,
        ..XdpContext::default()
    };
    run(program, &context, frame)
}

/// Runs a tc program on a frame from an interface of this thread's network namespace. The kernel makes
/// an skb of it as a driver does (`eth_type_trans`): it is for this host if its first six bytes are
/// the interface's MAC address.
pub(crate) fn tc(program: BorrowedFd<'_>, interface: u32, frame: &[u8]) -> io::Result<Run> {
    let context = SkbContext {
        interface,
        ..SkbContext::default()
    };
    run(program, &context, frame)
}

fn run<C>(program: BorrowedFd<'_>, context: &C, frame: &[u8]) -> io::Result<Run> {
    let mut out = vec![0; frame.len() + ROOM];
    let mut attributes = Attributes {
        program: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_size_out: out.len() as u32,
        data_in: frame.as_ptr() as u64,
        data_out: out.as_mut_ptr() as u64,
        context_size_in: size_of::<C>() as u32,
        context_in: std::ptr::from_ref(context) as u64,
        ..Attributes::default()
    };
    // SAFETY: every address is that of memory as long as its size says, and all of it outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            TEST_RUN,
            std::ptr::from_mut(&mut attributes),
            size_of::<Attributes>(),
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    out.truncate(attributes.data_size_out as usize);
    Ok(Run {
        result: attributes.result,
        bytes: out,
        duration: attributes.duration,
    })
}
