//! Chooses which object is embedded: the committed one, or the one that `FERROVS_EBPF_OBJECT`
//! names. Needs no BPF toolchain.

use std::{env, fs, path::Path, path::PathBuf};

const VARIABLE: &str = "FERROVS_EBPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let prebuilt = Path::new(&variable("CARGO_MANIFEST_DIR")).join("prebuilt/ferrovs.bpfel.o");
    let object = match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        None => prebuilt,
        Some(path) => match fs::canonicalize(&path) {
            Ok(path) => path,
            Err(error) => {
                println!(
                    "cargo::error={VARIABLE} must be the absolute path of an eBPF object; {}: {error}",
                    path.display()
                );
                return;
            }
        },
    };
    let info = build_info(&object);
    println!("cargo::rerun-if-changed={}", object.display());
    println!("cargo::rerun-if-changed={}", info.display());
    println!(
        "cargo::rustc-env=FERROVS_EMBEDDED_OBJECT={}",
        object.display()
    );
    println!(
        "cargo::rustc-env=FERROVS_EMBEDDED_BUILDINFO={}",
        info.display()
    );
}

/// The BUILDINFO beside the object, or an empty one when a foreign object has none.
fn build_info(object: &Path) -> PathBuf {
    let beside = object.with_file_name("BUILDINFO");
    if beside.exists() {
        return beside;
    }
    let empty = Path::new(&variable("OUT_DIR")).join("BUILDINFO");
    fs::write(&empty, "").expect("OUT_DIR is writable");
    empty
}

fn variable(name: &str) -> String {
    env::var(name).expect("cargo sets this variable for build scripts")
}
