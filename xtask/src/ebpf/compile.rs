//! Running cargo in the eBPF workspace, so that the same sources make the same bytes anywhere.
//!
//! Two things in an object tell where it was built. Paths in the line information are mapped to
//! short names. Symbol hashes come from `-C metadata`, for which cargo hashes the absolute path
//! of `dataplane/core` and its own version: this program puts itself between cargo and the
//! compiler ([`rustc_wrapper`]) and replaces it by the crate's name and version.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use super::{
    linker::Linker,
    toolchain::{TARGET, Toolchain},
};
use crate::{paths, process::run};

/// Set for the compiler processes of a build: "you are the wrapper".
const WRAPPER: &str = "FERROVS_XTASK_RUSTC_WRAPPER";

/// What a user's environment must not change in an object.
const FOREIGN: [&str; 8] = [
    "CARGO_BUILD_RUSTC",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// Compiles the programs and returns the linked, unstripped object.
///
/// # Errors
/// When cargo fails; compiler messages have gone to the terminal.
pub(crate) fn compile(toolchain: &Toolchain, linker: &Linker) -> Result<PathBuf> {
    let folder = paths::ebpf();
    let target_folder = folder.join("target");
    let mut cargo = Command::new(&toolchain.cargo);
    for variable in FOREIGN {
        cargo.env_remove(variable);
    }
    cargo
        .current_dir(&folder)
        .env("RUSTC", &toolchain.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_WRAPPER", env::current_exe()?)
        .env(WRAPPER, "1")
        .args(["build", "--release", "--locked", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_folder)
        .arg("--config")
        .arg(format!("target.{TARGET}.linker={:?}", linker.path))
        .arg("--config")
        .arg(format!(
            "target.{TARGET}.rustflags={:?}",
            remaps(toolchain)?
        ));
    if toolchain.build_std {
        cargo.arg("-Zbuild-std=core");
    }
    run(&mut cargo).context("compile dataplane/ebpf")?;
    Ok(target_folder.join(TARGET).join("release/ferrovs-ebpf"))
}

/// Compiler flags, beside those of the workspace's own configuration, that turn paths into names.
fn remaps(toolchain: &Toolchain) -> Result<Vec<String>> {
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
        .context("neither CARGO_HOME nor HOME is set")?;
    let mut from = vec![
        (toolchain.sysroot.join("lib/rustlib/src/rust"), "/rust"),
        (paths::root(), "/ferrovs"),
    ];
    if let Ok(registries) = cargo_home.join("registry/src").read_dir() {
        from.extend(registries.flatten().map(|entry| (entry.path(), "/crates")));
    }
    let remap =
        |(path, name): (PathBuf, &str)| format!("--remap-path-prefix={}={name}", path.display());
    Ok(from.into_iter().map(remap).collect())
}

/// When cargo of a build above has started this program as `xtask rustc ARGUMENTS...`: runs that
/// compiler, with a metadata that does not depend on the place. Otherwise `None`.
pub(crate) fn rustc_wrapper() -> Option<ExitCode> {
    env::var_os(WRAPPER)?;
    let mut arguments = env::args_os().skip(1);
    let rustc = arguments.next()?;
    let arguments = settled(arguments.collect(), &crate_identity());
    match Command::new(&rustc).args(arguments).status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("error: start {}: {error}", Path::new(&rustc).display());
            Some(ExitCode::FAILURE)
        }
    }
}

/// Name and version of the package that cargo is compiling.
fn crate_identity() -> String {
    let variable = |name| env::var(name).unwrap_or_default();
    format!(
        "{}-{}",
        variable("CARGO_PKG_NAME"),
        variable("CARGO_PKG_VERSION")
    )
}

/// Replaces the value of `-C metadata=` where code for the BPF target is compiled. Host crates
/// keep theirs: build scripts may need one crate twice, with different features.
fn settled(mut arguments: Vec<OsString>, identity: &str) -> Vec<OsString> {
    let for_target = arguments
        .windows(2)
        .any(|pair| pair[0] == "--target" && pair[1] == TARGET);
    if for_target {
        for argument in &mut arguments {
            if is_metadata(argument) {
                *argument = format!("metadata={identity}").into();
            }
        }
    }
    arguments
}

fn is_metadata(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"metadata=")
}

#[cfg(test)]
mod tests {
    use super::{OsString, TARGET, settled};

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn metadata_is_settled_for_the_target_only() {
        let host = "--crate-name syn -C metadata=0123";
        assert_eq!(settled(words(host), "syn-2.0.0"), words(host));

        let target = format!("--target {TARGET} -C metadata=0123 -C extra-filename=-0123");
        let expected = format!("--target {TARGET} -C metadata=core-1 -C extra-filename=-0123");
        assert_eq!(settled(words(&target), "core-1"), words(&expected));
    }
}
