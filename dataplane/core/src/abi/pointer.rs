//! Pointers: where a flow lives that its hash does not lead to.
//!
//! A reply of a server socket that several services share does not say which service it belongs to. The
//! key is what it does say: the server and the peer it sees.

use super::bits;

/// Words [`super::flow::DEST`] and [`super::flow::LOCAL`] of the flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct PointerKey(pub [u64; 2]);

/// Flow line number (bits 0..32) and generation (32..56).
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
#[repr(C)]
pub struct Pointer(pub u64);

impl Pointer {
    /// To this line while it has this generation.
    pub const fn new(line: u32, generation: u32) -> Self {
        Self(line as u64 | ((generation & 0x00ff_ffff) as u64) << 32)
    }

    /// The flow's line number.
    pub const fn line(self) -> u32 {
        self.0 as u32
    }

    /// The generation it was made for.
    pub const fn generation(self) -> u32 {
        bits(self.0, 32, 24) as u32
    }
}
