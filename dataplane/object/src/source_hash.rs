//! The hash that ties the committed object to the sources it was compiled from.
//!
//! `cargo xtask ebpf build` writes it into BUILDINFO and a test of this crate computes it again;
//! both include this very file, so that there is one definition of "the sources". It depends on
//! the files' paths below the repository and on their bytes, not on where the checkout lies, not
//! on the order in which a directory lists its entries, and not on time stamps.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

/// Folders of which every `.rs` file, at any depth, goes into the object.
const FOLDERS: [&str; 2] = ["dataplane/core/src", "dataplane/ebpf/src"];

/// Single files that go into the object: dependencies, their versions, compiler flags.
const FILES: [&str; 4] = [
    "dataplane/core/Cargo.toml",
    "dataplane/ebpf/.cargo/config.toml",
    "dataplane/ebpf/Cargo.lock",
    "dataplane/ebpf/Cargo.toml",
];

/// SHA-256 over all sources of the object below the repository's `root`, in hexadecimal.
///
/// Each file contributes its relative path, its length and its bytes, in the order of the paths.
/// Fails with the error of the first folder or file that cannot be read, its path in the message.
pub(crate) fn source_hash(root: &Path) -> io::Result<String> {
    let mut files: Vec<PathBuf> = FILES.iter().map(|file| root.join(file)).collect();
    for folder in FOLDERS {
        rust_files(&root.join(folder), &mut files)?;
    }
    let mut named: Vec<(String, PathBuf)> = files
        .into_iter()
        .map(|file| (relative(root, &file), file))
        .collect();
    named.sort();

    let mut hash = Sha256::new();
    for (name, file) in named {
        let bytes = fs::read(&file).map_err(|error| at(&file, &error))?;
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(&bytes);
    }
    Ok(hex(&hash.finalize()))
}

/// SHA-256 of `bytes`, in hexadecimal.
pub(crate) fn content_hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| at(folder, &error))? {
        let path = entry.map_err(|error| at(folder, &error))?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The path below `root` with `/` between its parts.
fn relative(root: &Path, file: &Path) -> String {
    let below = file.strip_prefix(root).unwrap_or(file);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
