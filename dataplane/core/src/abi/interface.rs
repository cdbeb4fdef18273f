//! An interface whose packets we see, found by its index.
//!
//! Interface `n` lies in line `n % LINES` or, where that is taken by another, in one of the next
//! `PROBES - 1`.

/// Lines in the table.
pub const LINES: u32 = 256;
/// Lines that may hold an interface.
pub const PROBES: u32 = 4;

/// Word: bits 0..32 interface index (0: none), 32 [`ETHERNET`].
pub const INDEX: usize = 0;
/// Word: its MAC address in bits 0..48, as the low six memory bytes.
pub const MAC: usize = 1;

/// Bit of [`INDEX`]: frames begin with an Ethernet header; otherwise with the IP header.
pub const ETHERNET: u64 = 1 << 32;

/// Line where probe `probe` looks for an interface.
pub const fn line(index: u32, probe: u32) -> u32 {
    index.wrapping_add(probe) & (LINES - 1)
}

/// A MAC address as it stands in word [`MAC`].
pub const fn pack_mac(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_ne_bytes([a, b, c, d, e, f, 0, 0])
}
