//! Making maps, BTF and programs.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use super::{Attributes, Command, address, bpf_fd};

/// Bytes of an object's name, the final zero included (`BPF_OBJ_NAME_LEN`).
const NAME: usize = 16;

/// A map to be made; the fields of `union bpf_attr` for BPF_MAP_CREATE.
#[derive(Clone, Copy, Debug)]
pub struct NewMap<'a> {
    /// Its name; cut to 15 bytes.
    pub name: &'a str,
    /// `enum bpf_map_type`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Elements it has, or has room for.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// BTF that describes keys and values, and the numbers of their types in it.
    pub types: Option<(BorrowedFd<'a>, u32, u32)>,
    /// Of an array of maps, one like those that it will hold.
    pub inner: Option<BorrowedFd<'a>>,
}

/// A program to be loaded; the fields of `union bpf_attr` for BPF_PROG_LOAD.
#[derive(Debug)]
pub struct NewProgram<'a> {
    /// Its name; cut to 15 bytes.
    pub name: &'a str,
    /// `enum bpf_prog_type`.
    pub kind: u32,
    /// `enum bpf_attach_type`.
    pub attach_type: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// Instructions, eight bytes each.
    pub instructions: &'a [u8],
    /// What the kernel is told about its licence.
    pub license: &'a CStr,
    /// BTF that describes its functions and lines.
    pub btf: Option<BorrowedFd<'a>>,
    /// `struct bpf_func_info` records: bytes, size of one, number.
    pub functions: (&'a [u8], usize, usize),
    /// `struct bpf_line_info` records: bytes, size of one, number.
    pub lines: (&'a [u8], usize, usize),
}

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map: u32,
    numa_node: u32,
    name: [u8; NAME],
    interface: u32,
    btf: u32,
    key_type: u32,
    value_type: u32,
}

// SAFETY: the part of `union bpf_attr` for BPF_MAP_CREATE.
unsafe impl Attributes for MapCreate {}

#[repr(C)]
#[derive(Default)]
struct BtfLoad {
    data: u64,
    log: u64,
    size: u32,
    log_size: u32,
    log_level: u32,
    reserved: u32,
}

// SAFETY: the part of `union bpf_attr` for BPF_BTF_LOAD.
unsafe impl Attributes for BtfLoad {}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME],
    interface: u32,
    attach_type: u32,
    btf: u32,
    function_size: u32,
    functions: u64,
    function_count: u32,
    line_size: u32,
    lines: u64,
    line_count: u32,
    reserved: u32,
}

// SAFETY: the part of `union bpf_attr` for BPF_PROG_LOAD.
unsafe impl Attributes for ProgramLoad {}

/// Makes a map.
///
/// # Errors
/// `EPERM` without `CAP_BPF`, `ENOMEM`, or what else the kernel says.
pub fn create_map(map: &NewMap<'_>) -> io::Result<OwnedFd> {
    let (btf, key_type, value_type) = map.types.map_or((0, 0, 0), |(btf, key, value)| {
        (btf.as_raw_fd() as u32, key, value)
    });
    let mut attributes = MapCreate {
        kind: map.kind,
        key_size: map.key_size,
        value_size: map.value_size,
        max_entries: map.max_entries,
        flags: map.flags,
        inner_map: map.inner.map_or(0, |map| map.as_raw_fd() as u32),
        name: name(map.name),
        btf,
        key_type,
        value_type,
        ..MapCreate::default()
    };
    // SAFETY: no addresses in it; the answer is a descriptor.
    unsafe { bpf_fd(Command::MapCreate, &mut attributes) }
}

/// Loads type information.
///
/// # Errors
/// When the kernel does not accept it.
pub fn load_btf(data: &[u8]) -> io::Result<OwnedFd> {
    let mut attributes = BtfLoad {
        data: address(data.as_ptr()),
        size: data.len() as u32,
        ..BtfLoad::default()
    };
    // SAFETY: `data` is as long as it says; the answer is a descriptor.
    unsafe { bpf_fd(Command::BtfLoad, &mut attributes) }
}

/// Loads a program. If `log` is not empty, the verifier writes its findings there, as text with a
/// final zero.
///
/// # Errors
/// `EACCES` or `EINVAL` when the verifier refuses it, `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`.
pub fn load_program(program: &NewProgram<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let (functions, function_size, function_count) = program.functions;
    let (lines, line_size, line_count) = program.lines;
    let described = program.btf.is_some();
    let mut attributes = ProgramLoad {
        kind: program.kind,
        instruction_count: (program.instructions.len() / 8) as u32,
        instructions: address(program.instructions.as_ptr()),
        license: address(program.license.as_ptr()),
        flags: program.flags,
        name: name(program.name),
        attach_type: program.attach_type,
        ..ProgramLoad::default()
    };
    if let Some(btf) = program.btf {
        attributes.btf = btf.as_raw_fd() as u32;
    }
    if described && function_count > 0 {
        attributes.functions = address(functions.as_ptr());
        attributes.function_size = function_size as u32;
        attributes.function_count = function_count as u32;
    }
    if described && line_count > 0 {
        attributes.lines = address(lines.as_ptr());
        attributes.line_size = line_size as u32;
        attributes.line_count = line_count as u32;
    }
    if !log.is_empty() {
        attributes.log = address(log.as_mut_ptr());
        attributes.log_size = log.len() as u32;
        attributes.log_level = 1;
    }
    // SAFETY: every address is that of a slice as long as its count says; the answer is a descriptor.
    unsafe { bpf_fd(Command::ProgLoad, &mut attributes) }
}

fn name(text: &str) -> [u8; NAME] {
    let mut name = [0; NAME];
    let length = text.len().min(NAME - 1);
    name[..length].copy_from_slice(&text.as_bytes()[..length]);
    name
}
