//! Where things lie in the repository.

use std::path::{Path, PathBuf};

/// The repository's root: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder).to_owned()
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
