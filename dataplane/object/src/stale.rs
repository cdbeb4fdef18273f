//! The committed object must come from the sources beside it.

use std::path::Path;

use crate::{
    BuildInfo, OBJECT,
    source_hash::{content_hash, source_hash},
};

const PREBUILT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/prebuilt");

fn committed_info() -> String {
    std::fs::read_to_string(format!("{PREBUILT}/BUILDINFO")).expect("read prebuilt/BUILDINFO")
}

#[test]
fn committed_object_is_built_from_these_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tree = source_hash(&root).expect("read the sources");
    assert_eq!(
        BuildInfo::parse(&committed_info()).sources,
        tree,
        "the committed eBPF object is stale: run `cargo xtask ebpf build` and commit \
         dataplane/object/prebuilt"
    );
}

#[test]
fn committed_object_is_the_one_its_build_info_describes() {
    let object = std::fs::read(format!("{PREBUILT}/ferrovs.bpfel.o")).expect("read the object");
    assert_eq!(
        BuildInfo::parse(&committed_info()).object,
        content_hash(&object),
        "ferrovs.bpfel.o and BUILDINFO come from different builds: run `cargo xtask ebpf build` \
         and commit dataplane/object/prebuilt as a whole"
    );
}

#[test]
fn embedded_object_is_aligned_elf() {
    assert_eq!(OBJECT.as_ptr().align_offset(8), 0);
    assert!(OBJECT.starts_with(b"\x7fELF"));
}

#[test]
fn hash_follows_content_and_name_but_not_place() {
    let scratch = std::env::temp_dir().join(format!("ferrovs-source-hash-{}", std::process::id()));
    let (here, there) = (scratch.join("here"), scratch.join("there/deeper"));
    for root in [&here, &there] {
        plant(root);
    }
    let first = source_hash(&here).expect("hash");
    assert_eq!(first, source_hash(&there).expect("hash"));

    let core = there.join("dataplane/core/src");
    std::fs::write(core.join("notes.txt"), "no source").expect("write");
    assert_eq!(first, source_hash(&there).expect("hash"));
    std::fs::rename(core.join("lib.rs"), core.join("moved.rs")).expect("rename");
    let moved = source_hash(&there).expect("hash");
    assert_ne!(first, moved);
    std::fs::write(core.join("moved.rs"), "fn b() {}").expect("write");
    assert_ne!(moved, source_hash(&there).expect("hash"));

    std::fs::remove_dir_all(&scratch).expect("clean up");
}

/// The least tree that has a hash.
fn plant(root: &Path) {
    for (file, text) in [
        ("core/Cargo.toml", "core"),
        ("core/src/lib.rs", "fn a() {}"),
        ("core/src/wire/mod.rs", "//! wire"),
        ("ebpf/.cargo/config.toml", "flags"),
        ("ebpf/Cargo.lock", "lock"),
        ("ebpf/Cargo.toml", "ebpf"),
        ("ebpf/src/main.rs", "fn main() {}"),
    ] {
        let path = root.join("dataplane").join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("create");
        std::fs::write(path, text).expect("write");
    }
}
