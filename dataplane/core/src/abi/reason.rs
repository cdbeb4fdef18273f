//! Why a packet was dropped, passed on or given up: one counter per reason and CPU.

/// Lines of counters per CPU.
pub const LINES: u32 = 4;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Why a packet that concerned a service was not simply forwarded.
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(not(target_arch = "bpf"), derive(Debug, PartialOrd, Ord, Hash))]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $name = $number,)* }

        impl Reason {
            /// All of them, in order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The reason of this number.
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// The name under which it is shown.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// A fragment of any packet whose first fragment has not been seen, so that its ports are not known: passed to the stack.
    Fragment = 0, "fragment";
    /// A client's TCP segment or SCTP packet that opens nothing and belongs to no flow, passed to the stack; or a
    /// server's packet that belongs to none, dropped and answered (sysctl `nat_icmp_send`).
    NoFlow = 1, "no-flow";
    /// No real server is usable: dropped, and its sender told so.
    NoDestination = 2, "no-destination";
    /// The flow's real server was removed: dropped.
    DestinationGone = 3, "destination-gone";
    /// TTL would reach zero: dropped, and its sender told so.
    TtlExceeded = 4, "ttl-exceeded";
    /// No line could be had for a new flow: dropped.
    TableFull = 5, "table-full";
    /// Another CPU was busy in the same bucket for too long: dropped.
    Contended = 6, "contended";
    /// No source port, or no room for a pointer, was left with which replies could be told apart: dropped.
    PortsExhausted = 7, "ports-exhausted";
    /// A half-open flow gave its line to a new one.
    Evicted = 8, "evicted";
    /// XDP left the packet to the tc program: no trusted next hop.
    Deferred = 10, "deferred";
    /// The kernel was asked to find the neighbour.
    Resolved = 11, "resolved";
    /// No route towards the packet's destination: dropped.
    NoRoute = 12, "no-route";
    /// A new flow took another source port, so that its replies can be told apart.
    PortChanged = 13, "port-changed";
    /// A flow could not live in its home bucket and was given a place elsewhere.
    Displaced = 14, "displaced";
    /// A sender is not told that its packet was dropped: it was told often enough lately.
    AnswerLimited = 15, "answer-limited";
    /// A sender is not told that its packet was dropped: there is too much to tell.
    AnswerLost = 16, "answer-lost";
    /// Too big for the link towards the server with a tunnel's headers: dropped.
    TunnelMtu = 17, "tunnel-mtu";
    /// The checksum that a tunnel is to have could not be told without reading the payload: dropped.
    TunnelChecksum = 18, "tunnel-checksum";
    /// The kernel had no room for a tunnel's headers: dropped.
    TunnelFailed = 19, "tunnel-failed";
    /// A client's packet to a service with the persistence engine sip that has no Call-ID and belongs to no flow: dropped.
    NoCallId = 20, "no-call-id";
    /// Too big for the link by which it would leave: dropped, and its sender told so.
    TooBig = 21, "too-big";
    /// A new flow took an address and a port of the pool in place of its client's.
    PoolUsed = 28, "pool-used";
    /// A new flow was to take an address of the pool, and there is none towards its server: dropped.
    PoolEmpty = 29, "pool-empty";
    /// No port of the pool, or no room for a pointer, was left towards a new flow's server: dropped.
    PoolExhausted = 30, "pool-exhausted";
}
