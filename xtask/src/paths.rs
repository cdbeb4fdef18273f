//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The repository's root: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    // Cargo's word of this run first: a target folder may be shared by several checkouts.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    crate_folder
        .parent()
        .map_or(crate_folder.clone(), Path::to_owned)
}

/// The workspace of the eBPF programs.
pub(crate) fn ebpf() -> PathBuf {
    root().join("dataplane/ebpf")
}

/// The folder of the committed outputs.
pub(crate) fn prebuilt() -> PathBuf {
    root().join("dataplane/object/prebuilt")
}

/// What each program may cost: read by `verify`.
pub(crate) fn budget() -> PathBuf {
    root().join("dataplane/object/budget.toml")
}

/// Where kernels for virtual machines are kept.
pub(crate) fn vm() -> PathBuf {
    root().join("target/vm")
}
