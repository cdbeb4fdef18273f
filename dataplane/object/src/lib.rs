//! The compiled eBPF object, embedded.
//!
//! `dataplane/ebpf` is compiled by `cargo xtask ebpf build`, which needs a compiler for the BPF
//! target; its result is committed under `prebuilt/`, so that everybody else needs stable Rust
//! only. This crate hands the bytes to whoever loads them (`ferrovs-kernel`, the tests) and
//! neither reads nor checks them. A test holds the committed object to the sources of the tree.
//!
//! To try another object, name it when building: `FERROVS_EBPF_OBJECT=/path/to/object.o cargo
//! build`. [`BUILDINFO`] then is the file of that name beside it, if there is one.

mod build_info;
#[cfg(test)]
mod source_hash;
#[cfg(test)]
mod stale;

pub use build_info::BuildInfo;

/// The ELF object: programs, map definitions and BTF for the little-endian BPF target. Aligned
/// to 8 bytes, as readers of ELF structures in place want it.
pub static OBJECT: &[u8] = &ALIGNED.0;

/// The text that describes how [`OBJECT`] was built; read it with [`build_info()`].
pub static BUILDINFO: &str = include_str!(env!("FERROVS_EMBEDDED_BUILDINFO"));

/// What [`BUILDINFO`] says, in fields.
#[must_use]
pub fn build_info() -> BuildInfo<'static> {
    BuildInfo::parse(BUILDINFO)
}

#[repr(C, align(8))]
struct Aligned<Bytes: ?Sized>(Bytes);

static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("FERROVS_EMBEDDED_OBJECT")));
