//! The compiled eBPF object, embedded.
