//! The four endpoint words of a flow, as keys and hashes have them, whatever its family, and how they
//! lie in its line ([`crate::abi::flow`]).

use super::place;
use crate::abi::dest::{self, Method};
use crate::abi::endpoint::{Endpoint, IPV6, tag};
use crate::abi::flow::{CLIENT, DEST, LOCAL, ONE_PACKET, Owner, VIRTUAL};
use crate::abi::ipv6::Address;
use crate::abi::{pool, service};
use crate::tables::{Half, Line};

/// Bits of a packed endpoint without its tag.
const UNTAGGED: u64 = (1 << 48) - 1;

/// Whether a word that names a protocol is of an IPv6 endpoint.
#[inline(always)]
pub const fn is_ipv6(word: u64) -> bool {
    tag(word) & IPV6 != 0
}

/// The words as they lie in a line, which of an IPv4 flow are its [`Ends`] themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Words {
    /// Word [`CLIENT`].
    pub client: u64,
    /// Word [`VIRTUAL`].
    pub virtual_: u64,
    /// Word [`DEST`].
    pub dest: u64,
    /// Word [`LOCAL`].
    pub local: u64,
}

impl Words {
    /// Of a line.
    #[inline(always)]
    pub fn load<L: Line>(line: L) -> Self {
        Self {
            client: line.load(CLIENT),
            virtual_: line.load(VIRTUAL),
            dest: line.load(DEST),
            local: line.load(LOCAL),
        }
    }

    /// Into a line that the caller has claimed.
    #[inline(always)]
    pub fn store<L: Line>(&self, line: L) {
        line.store(CLIENT, self.client);
        line.store(VIRTUAL, self.virtual_);
        line.store(DEST, self.dest);
        line.store(LOCAL, self.local);
    }

    /// The same, of which the server sees as its peer what this packed endpoint says.
    #[inline(always)]
    #[must_use]
    pub const fn with_local(self, local: u64) -> Self {
        if is_ipv6(self.client) {
            Self {
                client: self.client & !(0xffff << 16) | port_bits(local) << 16,
                ..self
            }
        } else {
            Self { local, ..self }
        }
    }

    /// The client's address of an IPv6 flow.
    #[inline(always)]
    pub const fn address(&self) -> Address {
        Address([self.virtual_, self.local])
    }

    /// The endpoints of an IPv6 flow, apart from their addresses.
    #[inline(always)]
    pub const fn ports(&self) -> Ports {
        Ports {
            client: (self.client >> 32) as u16,
            local: (self.client >> 16) as u16,
            virtual_: (self.dest >> 48) as u16,
            service: self.client as u16,
        }
    }

    /// Whether the server answers the client by another way than this.
    #[inline(always)]
    pub const fn is_one_way(&self) -> bool {
        self.dest & UNTAGGED == 0
    }

    /// What they are as keys, in a line with this word [`OWNER`](crate::abi::flow::OWNER).
    #[inline(always)]
    pub const fn ends(&self, owner: Owner) -> Ends {
        if !is_ipv6(self.client) {
            let Self {
                client,
                virtual_,
                dest,
                local,
            } = *self;
            return Ends {
                client,
                virtual_,
                dest,
                local,
            };
        }
        let ports = self.ports();
        let protocol = tag(self.client);
        let peer = Endpoint {
            address: owner.digest(),
            port: ports.client,
        };
        let local = Endpoint {
            address: match owner.pool() {
                0 => peer.address,
                number => pool::stand_in(number),
            },
            port: ports.local,
        };
        let virtual_ = Endpoint {
            address: 0,
            port: ports.virtual_,
        };
        Ends {
            client: peer.pack(protocol),
            virtual_: virtual_.pack(ports.service),
            dest: self.dest & UNTAGGED,
            local: local.pack(protocol),
        }
    }
}

/// Ports of an IPv6 flow, wire order, and its service's number.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Ports {
    /// The client's own.
    pub client: u16,
    /// The one by which the server knows it.
    pub local: u16,
    /// The virtual one.
    pub virtual_: u16,
    /// The service's number, as the tag of [`VIRTUAL`] has it.
    pub service: u16,
}

/// The words as keys and hashes have them: packed endpoints with their tags.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "bpf"), derive(Debug))]
pub struct Ends {
    /// Client endpoint, tag = IP protocol.
    pub client: u64,
    /// Virtual endpoint, tag as that of [`VIRTUAL`]; of IPv6, without the address.
    pub virtual_: u64,
    /// Real server endpoint, tag 0.
    pub dest: u64,
    /// What the server sees as its peer, tag = IP protocol.
    pub local: u64,
}

impl Ends {
    /// The service's number.
    #[inline(always)]
    pub const fn service(&self) -> u16 {
        tag(self.virtual_) & !ONE_PACKET
    }

    /// How they lie in the line of a flow whose client has, if it is an IPv6 one, this address.
    #[inline(always)]
    pub const fn words(&self, address: Address) -> Words {
        let Self {
            client,
            virtual_,
            dest,
            local,
        } = *self;
        if !is_ipv6(client) {
            return Words {
                client,
                virtual_,
                dest,
                local,
            };
        }
        let Address([first, second]) = address;
        Words {
            client: tag(virtual_) as u64
                | port_bits(local) << 16
                | port_bits(client) << 32
                | (tag(client) as u64) << 48,
            virtual_: first,
            dest: dest | port_bits(virtual_) << 48,
            local: second,
        }
    }
}

/// The port in a packed endpoint, in the lowest bits.
const fn port_bits(word: u64) -> u64 {
    (word >> 32) & 0xffff
}

/// The endpoint word, tag 0, by which packets of a destination with these settings are known, for a client that asked
/// for `port` (wire order) of its service; none if its answers do not pass here. `config` is line 0.
#[inline(always)]
pub fn server<L: Line>(config: L, settings: Half<L>, service: L, port: u16) -> u64 {
    let mode = settings.load(dest::MODE);
    if Method::of(mode) != Method::Masq {
        return 0;
    }
    let own = if mode & dest::IPV6 == 0 {
        Endpoint::unpack(settings.load(dest::ENDPOINT))
    } else {
        Endpoint {
            address: place::digest(config, server_address(settings)),
            port: dest::port(mode),
        }
    };
    let is_any = mode & dest::ANY_PORT != 0
        && port != Endpoint::unpack(service.load(service::ENDPOINT)).port;
    let port = if is_any { port } else { own.port };
    Endpoint { port, ..own }.pack(0)
}

/// The virtual address of a service with this line, which is an IPv6 one.
#[inline(always)]
pub fn virtual_address<L: Line>(service: L) -> Address {
    Address([
        service.load(service::ADDRESS),
        service.load(service::ADDRESS + 1),
    ])
}

/// The address of a destination with these settings, which is an IPv6 one.
#[inline(always)]
pub fn server_address<L: Line>(settings: Half<L>) -> Address {
    Address([
        settings.load(dest::ENDPOINT),
        settings.load(dest::ADDRESS_REST),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TCP;

    const CLIENT_PORT: u16 = 40_000;

    fn end(address: u32, port: u16, tag: u16) -> u64 {
        Endpoint { address, port }.pack(tag)
    }

    fn round_trip(ends: Ends, address: Address, digest: u32) -> Words {
        let words = ends.words(address);
        assert_eq!(words.ends(Owner::new(77, digest)), ends);
        words
    }

    #[test]
    fn the_words_of_ipv4_are_the_ends() {
        let tcp = u16::from(TCP);
        let client = end(u32::MAX, CLIENT_PORT, tcp);
        let ends = Ends {
            client,
            virtual_: end(1, 80, 0xffff),
            dest: end(2, 8080, 0),
            local: client,
        };
        let words = round_trip(ends, Address([0, 0]), 0);
        let local = end(u32::MAX, 1024, tcp);
        assert_eq!(
            words.with_local(local).ends(Owner(0)),
            Ends { local, ..ends }
        );
    }

    #[test]
    fn the_words_of_ipv6_hold_the_ends_and_the_whole_address() {
        let address = Address::new([0xab; 16]);
        let digest = address.digest([1, 3]);
        let tcp = u16::from(TCP) | IPV6;
        let client = end(digest, CLIENT_PORT, tcp);
        let ends = Ends {
            client,
            virtual_: end(0, 80, 0xffff),
            dest: end(0x0fff_ffff, 8080, 0),
            local: client,
        };
        let words = round_trip(ends, address, digest);
        assert_eq!(words.address(), address);
        let local = end(digest, 1024, tcp);
        let moved = words.with_local(local);
        assert_eq!(moved.ends(Owner::new(77, digest)), Ends { local, ..ends });
        assert_eq!(moved.address(), address);
    }
}
