//! Calls: what the persistence engine sip keeps together in place of all that a client sends, which is all that it (or its
//! network) sends with one Call-ID.
//!
//! The template of a call is a line as a client's is ([`crate::flow::persist`]), but has the call's [number](Call) where
//! a client's has address and port; the client is told by word [`super::flow::LOCAL`], of IPv6 as ever. The Call-ID itself is only there to be
//! listed: in a map of its own, under the call's number.

use super::endpoint::Endpoint;
use super::ipv6::DIGEST_BITS;

/// Bytes that a Call-ID may have, at most (`IP_VS_PEDATA_MAXLEN`).
pub const LONGEST: usize = 255;
/// Words in which a Call-ID is kept, the first byte in the lowest bits of the first; the rest is zero.
pub const TEXT: usize = (LONGEST + 1) / 8;
/// Call-IDs that are kept at once. What finds no room is listed without.
pub const CALLS: u32 = 65_536;

/// The number of a call: a keyed digest of 43 bits, of the client's address as far as it counts, and of the Call-ID. Calls
/// that have the same number, of which nobody can bring about more than chance does, share a server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug, Hash))]
pub struct Call(pub u64);

/// Never zero in a port: so a call is told from a client.
const CALLED: u64 = 1 << DIGEST_BITS;
const NUMBER: u64 = (1 << (DIGEST_BITS + 16)) - 1;

impl Call {
    /// No call.
    pub const NONE: Self = Self(0);

    /// With this digest, of which the upper bits are the best.
    pub const fn new(digest: u64) -> Self {
        Self(digest >> (64 - DIGEST_BITS - 16) | CALLED)
    }

    /// What stands for it in endpoint words: as much as a client of IPv6 has there.
    pub const fn endpoint(self) -> Endpoint {
        Endpoint {
            address: (self.0 & (CALLED - 1)) as u32,
            port: (self.0 >> DIGEST_BITS) as u16,
        }
    }

    /// The call for which this stands; [`Self::NONE`] if it is a client's, whose port is 0.
    pub const fn of(endpoint: Endpoint) -> Self {
        if endpoint.port == 0 {
            return Self::NONE;
        }
        Self((endpoint.address as u64 | (endpoint.port as u64) << DIGEST_BITS) & NUMBER)
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_told_from_every_client() {
        for digest in [0, 1 << 20, 0x0123_4567_89ab_cdef, u64::MAX] {
            let call = Call::new(digest);
            assert_eq!(Call::of(call.endpoint()), call);
            assert!(!call.is_none());
        }
        let client = Endpoint::new([192, 0, 2, 1], 0);
        assert_eq!(Call::of(client), Call::NONE);
    }
}
