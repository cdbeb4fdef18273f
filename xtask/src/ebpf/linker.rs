//! Finding bpf-linker, and whether its LLVM can read what the compiler's LLVM writes.
//!
//! bpf-linker does not tell its LLVM version, but every LLVM carries the text with which it signs
//! bitcode, such as `LLVM22.1.8`: in bpf-linker itself when linked statically, else in the
//! library it names among its dependencies.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::toolchain::{Toolchain, major};
use crate::process::{capture, which};

/// The bpf-linker that was found.
pub(crate) struct Linker {
    pub(crate) path: PathBuf,
    /// As `0.13.0`.
    pub(crate) version: String,
    /// Version of its LLVM, as `22.1.8`.
    pub(crate) llvm: String,
}

impl fmt::Display for Linker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            version,
            llvm,
        } = self;
        write!(
            formatter,
            "bpf-linker {version}, LLVM {llvm}: {}",
            path.display()
        )
    }
}

/// Finds bpf-linker and holds its LLVM against the compiler's.
///
/// # Errors
/// When there is none, or when its LLVM is older: bitcode cannot be read by an older LLVM.
pub(crate) fn find(toolchain: &Toolchain) -> Result<Linker> {
    let path = which("bpf-linker")
        .context("bpf-linker is not installed: run `cargo xtask ebpf install`")?;
    let version = capture(Command::new(&path).arg("--version"))?
        .trim()
        .trim_start_matches("bpf-linker ")
        .to_owned();
    let llvm = llvm_version(&path)?;
    let linker = Linker {
        path,
        version,
        llvm,
    };
    if major(&linker.llvm)? < major(&toolchain.llvm)? {
        bail!(
            "bpf-linker has LLVM {} and cannot read what rustc's LLVM {} writes: \
             run `cargo xtask ebpf install` for one with LLVM {}",
            linker.llvm,
            toolchain.llvm,
            major(&toolchain.llvm)?
        );
    }
    Ok(linker)
}

fn llvm_version(linker: &Path) -> Result<String> {
    let in_file = |path: &Path| -> Result<Option<String>> {
        let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Ok(signature(&bytes))
    };
    if let Some(version) = in_file(linker)? {
        return Ok(version);
    }
    let libraries = capture(Command::new("ldd").arg(linker))?;
    let library = libraries
        .lines()
        .filter(|line| line.contains("libLLVM"))
        .find_map(|line| line.split_whitespace().nth(2))
        .with_context(|| format!("{} has no LLVM in it or beside it", linker.display()))?;
    in_file(Path::new(library))?.with_context(|| format!("{library} does not tell its version"))
}

/// The first `LLVM<number>.<number>.<number>` in a program or library.
fn signature(bytes: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"LLVM";
    bytes
        .windows(MARK.len())
        .enumerate()
        .filter(|(_, window)| *window == MARK)
        .find_map(|(at, _)| {
            let version: String = bytes[at + MARK.len()..]
                .iter()
                .map(|byte| char::from(*byte))
                .take_while(|byte| byte.is_ascii_digit() || *byte == '.')
                .collect();
            let numbers = version.split('.').filter(|part| !part.is_empty()).count();
            (numbers == 3 && version.split('.').count() == 3).then_some(version)
        })
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn signature_is_a_full_version() {
        let bytes = b"..LLVM_22\0LLVM\0libLLVM22\0LLVM22.1.8-rust-1.97\0";
        assert_eq!(signature(bytes).as_deref(), Some("22.1.8"));
        assert_eq!(signature(b"LLVM22.1\0LLVM.1.2\0LLVM22..8"), None);
        assert_eq!(signature(b"LLVM23.0.0").as_deref(), Some("23.0.0"));
    }
}
