//! The program under test.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The `ferrovs` program of the profile that the tests were built with, up to date; or the one that the
/// environment variable `FERROVS_BINARY` names, for instance an installed one.
///
/// Cargo builds the programs of a package for that package's own tests only, so the first call has
/// it build this one; after `cargo test --workspace` there is nothing left to do.
///
/// # Panics
/// When it cannot be built.
pub fn ferrovs() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| env::var_os("FERROVS_BINARY").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let Some(directory) = profile_directory() else {
        panic!("this test does not run from cargo's target directory: run it by `cargo test`");
    };
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(other) => other,
    };
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--package",
            "ferrovs",
            "--bin",
            "ferrovs",
        ])
        .args(["--profile", profile])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    match built {
        Ok(output) if output.status.success() => directory.join("ferrovs"),
        Ok(output) => panic!(
            "the program under test cannot be built:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("cannot run cargo to build the program under test: {error}"),
    }
}

/// `target/PROFILE`, two levels above a test's program.
fn profile_directory() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    Some(program.parent()?.parent()?.to_owned())
}
