//! Linux Virtual Server, forged in Rust: an LVS-NAT director in eBPF.

fn main() {}
