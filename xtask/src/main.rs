//! Development tasks: the eBPF object.

fn main() {}
