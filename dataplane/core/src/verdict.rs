//! What becomes of a packet.

use crate::abi::answer::Request;

/// Where the packet was met.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Hook {
    /// In the driver, before the kernel has made an skb of it.
    Xdp,
    /// At tc ingress. Whatever XDP leaves to the kernel comes by here once more.
    Tc,
}

/// How a packet came in.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Arrival {
    /// Index of the interface.
    pub interface: u32,
    /// The hook that asks.
    pub hook: Hook,
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub enum Verdict {
    /// Untouched, on to the kernel's stack.
    Pass,
    /// Untouched, on to the tc program of the same interface, which can ask the kernel for a
    /// neighbour. Only from [`Hook::Xdp`].
    Defer,
    /// Gone.
    Drop,
    /// Gone, and its sender is to be told so. Only on the way through the core, which then says [`Verdict::Drop`].
    Tell {
        /// What; of which family, and how much is quoted, is not said yet.
        request: Request,
    },
    /// Rewritten down to the Ethernet header: out of this interface.
    Transmit {
        /// Index of the interface.
        interface: u32,
    },
    /// As [`Verdict::Resolve`], but the packet is not addressed to whom it is handed: the neighbour is the one
    /// towards this server.
    Hand {
        /// Index of the interface.
        interface: u32,
        /// The server's number.
        dest: u32,
    },
    /// Rewritten but for the Ethernet header: the kernel is to find the neighbour on this interface and
    /// send it. Only from [`Hook::Tc`].
    Resolve {
        /// Index of the interface.
        interface: u32,
    },
}

impl Verdict {
    /// As one number, for a call that returns only that.
    #[inline(always)]
    pub(crate) const fn pack(self) -> u64 {
        match self {
            Self::Pass => 0,
            Self::Defer => 1,
            Self::Drop => 2,
            Self::Transmit { interface } => 3 | (interface as u64) << 32,
            Self::Resolve { interface } => 4 | (interface as u64) << 32,
            // Of its lower half two bytes are in use so far.
            Self::Tell { request } => 6 | (request.0 & 0xffff) << 8 | request.0 >> 32 << 32,
            Self::Hand { interface, dest } => {
                5 | ((dest & 0xff_ffff) as u64) << 8 | (interface as u64) << 32
            }
        }
    }

    /// What [`Self::pack`] packed.
    #[inline(always)]
    pub(crate) const fn unpack(word: u64) -> Self {
        let interface = (word >> 32) as u32;
        match word as u8 {
            0 => Self::Pass,
            1 => Self::Defer,
            2 => Self::Drop,
            3 => Self::Transmit { interface },
            4 => Self::Resolve { interface },
            6 => Self::Tell {
                request: Request(word >> 8 & 0xffff | word >> 32 << 32),
            },
            _ => Self::Hand {
                interface,
                dest: word as u32 >> 8,
            },
        }
    }
}
