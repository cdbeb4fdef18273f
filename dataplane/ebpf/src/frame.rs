//! The packet's bytes, at XDP and at tc.
//!
//! The verifier believes an access only after a comparison of the very pointer that is then used with
//! the end of the data, so every access checks for itself.

use aya_ebpf::bindings::{__sk_buff, BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR};
use aya_ebpf::helpers::bpf_l4_csum_replace;
use aya_ebpf::programs::{TcContext, XdpContext};
use ferrovs_core::frame::{ChecksumChange, Frame};
use ferrovs_core::nat::checksum;

/// Highest offset that is ever touched: Ethernet with tag, IPv4 with options, TCP.
const REACH: usize = 18 + 60 + 20;

/// A pointer to `T` at `offset`, if it lies within the data.
#[inline(always)]
fn at<T>(data: usize, end: usize, offset: usize) -> Option<*mut T> {
    if offset > REACH {
        return None;
    }
    let start = data + offset;
    if start + size_of::<T>() > end {
        None
    } else {
        Some(start as *mut T)
    }
}

macro_rules! accessors {
    ($frame:ident) => {
        #[inline(always)]
        fn read_u16(&self, offset: usize) -> Option<u16> {
            // SAFETY: `at` has compared with the end of the data.
            Some(unsafe { at::<u16>(self.data(), self.end(), offset)?.read_unaligned() })
        }

        #[inline(always)]
        fn read_u32(&self, offset: usize) -> Option<u32> {
            // SAFETY: as above.
            Some(unsafe { at::<u32>(self.data(), self.end(), offset)?.read_unaligned() })
        }

        #[inline(always)]
        fn read_u64(&self, offset: usize) -> Option<u64> {
            // SAFETY: as above.
            Some(unsafe { at::<u64>(self.data(), self.end(), offset)?.read_unaligned() })
        }

        #[inline(always)]
        fn write_u16(&mut self, offset: usize, value: u16) -> Option<()> {
            // SAFETY: as above.
            unsafe { at::<u16>(self.data(), self.end(), offset)?.write_unaligned(value) };
            Some(())
        }

        #[inline(always)]
        fn write_u32(&mut self, offset: usize, value: u32) -> Option<()> {
            // SAFETY: as above.
            unsafe { at::<u32>(self.data(), self.end(), offset)?.write_unaligned(value) };
            Some(())
        }

        #[inline(always)]
        fn write_u64(&mut self, offset: usize, value: u64) -> Option<()> {
            // SAFETY: as above.
            unsafe { at::<u64>(self.data(), self.end(), offset)?.write_unaligned(value) };
            Some(())
        }
    };
}

/// A packet at XDP: plain bytes, checksums complete.
pub struct XdpFrame<'a>(&'a XdpContext);

impl<'a> XdpFrame<'a> {
    /// The packet of this context.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self(ctx)
    }

    #[inline(always)]
    fn data(&self) -> usize {
        self.0.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.0.data_end()
    }
}

impl Frame for XdpFrame<'_> {
    accessors!(XdpFrame);

    #[inline(always)]
    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()> {
        let old = self.read_u16(offset)?;
        self.write_u16(offset, checksum::change(old, change))
    }
}

/// Makes sure that the headers of a packet at tc can be accessed directly. Most drivers see to that;
/// virtio and packet sockets may leave all but the Ethernet header in fragments.
#[inline(always)]
pub fn pull_headers(ctx: &TcContext) {
    let linear = ctx.data_end() - ctx.data();
    let wanted = if ctx.len() < REACH as u32 {
        ctx.len()
    } else {
        REACH as u32
    };
    if linear < wanted as usize {
        // What cannot be pulled cannot be read either, and then is none of ours.
        let _ = ctx.pull_data(wanted);
    }
}

/// A packet at tc: an skb, whose layer-4 checksum may be left to the device (CHECKSUM_PARTIAL) or
/// known to the kernel (CHECKSUM_COMPLETE). Its helper minds both.
pub struct SkbFrame(*mut __sk_buff);

impl SkbFrame {
    /// The packet of this context.
    #[inline(always)]
    pub fn new(ctx: &TcContext) -> Self {
        Self(ctx.skb.skb)
    }

    #[inline(always)]
    fn data(&self) -> usize {
        // SAFETY: the context is valid for the whole program.
        unsafe { (*self.0).data as usize }
    }

    #[inline(always)]
    fn end(&self) -> usize {
        // SAFETY: as above.
        unsafe { (*self.0).data_end as usize }
    }
}

impl Frame for SkbFrame {
    accessors!(SkbFrame);

    #[inline(always)]
    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()> {
        // A field size of zero, or-ed in, means that `to` is a difference.
        let zero = if change.zero_is_none {
            u64::from(BPF_F_MARK_MANGLED_0)
        } else {
            0
        };
        let pseudo = zero | u64::from(BPF_F_PSEUDO_HDR);
        let offset = offset as u32;
        // SAFETY: plain helper calls on the program's own context.
        let failed = unsafe {
            bpf_l4_csum_replace(self.0, offset, 0, u64::from(change.addresses), pseudo)
                | bpf_l4_csum_replace(self.0, offset, 0, u64::from(change.ports), zero)
        };
        if failed == 0 { Some(()) } else { None }
    }
}
