//! The three committed files: the stripped object, its disassembly, and BUILDINFO.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use similar::TextDiff;

use super::{
    linker::Linker,
    toolchain::{TARGET, Toolchain, llvm_tool},
};
use crate::{
    paths,
    process::{capture, run},
    source_hash::content_hash,
};

/// Name of the object file.
pub(crate) const OBJECT: &str = "ferrovs.bpfel.o";
const DISASSEMBLY: &str = "ferrovs.disasm.txt";
const BUILDINFO: &str = "BUILDINFO";

/// What one build yields, or what is committed.
pub(crate) struct Output {
    pub(crate) object: Vec<u8>,
    pub(crate) disassembly: String,
    pub(crate) build_info: String,
}

/// How a fresh build differs from what is committed.
pub(crate) struct Drift {
    /// One half-sentence for each thing that differs.
    pub(crate) reasons: Vec<&'static str>,
    /// The differing lines of disassembly and build info, as a unified diff.
    pub(crate) diff: String,
}

impl Drift {
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Output {
    /// Strips, disassembles and describes a linked object, which itself is left as it is.
    /// `sources` is the hash of what it was compiled from.
    pub(crate) fn of(
        linked: &Path,
        sources: &str,
        toolchain: &Toolchain,
        linker: &Linker,
    ) -> Result<Self> {
        let stripped = linked.with_file_name(OBJECT);
        // Debug sections only: BTF and the symbol table are needed to load.
        run(Command::new(llvm_tool(toolchain, "llvm-strip")?)
            .args(["--strip-debug", "-o"])
            .args([&stripped, linked]))?;
        let object = fs::read(&stripped).with_context(|| format!("read {}", stripped.display()))?;
        Ok(Self {
            disassembly: disassemble(&stripped, toolchain)?,
            build_info: build_info(&object, sources, toolchain, linker)?,
            object,
        })
    }

    /// Reads the three files from `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let [object, disassembly, build_info] = files(folder);
        let absent = |file: &Path| format!("read {}: run `cargo xtask ebpf build`", file.display());
        Ok(Self {
            object: fs::read(&object).with_context(|| absent(&object))?,
            disassembly: fs::read_to_string(&disassembly).with_context(|| absent(&disassembly))?,
            build_info: fs::read_to_string(&build_info).with_context(|| absent(&build_info))?,
        })
    }

    /// Writes the three files into `folder`, which is made if it is missing.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let [object, disassembly, build_info] = files(folder);
        for (file, bytes) in [
            (object, self.object.as_slice()),
            (disassembly, self.disassembly.as_bytes()),
            (build_info, self.build_info.as_bytes()),
        ] {
            fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    /// Compares what is committed (`self`) with a `fresh` build.
    ///
    /// Other tools may write other bytes for the same code (in BTF, say): with other tools than
    /// the recorded ones, equal sources and equal code are enough.
    pub(crate) fn drift(&self, fresh: &Self) -> Drift {
        let (mut reasons, mut diff) = (Vec::new(), String::new());
        let (old, new) = (Facts::of(&self.build_info), Facts::of(&fresh.build_info));
        if old.sources != new.sources {
            reasons.push("the committed object was made from other sources");
        }
        if self.disassembly != fresh.disassembly {
            reasons.push("the code differs");
            diff += &unified(DISASSEMBLY, &self.disassembly, &fresh.disassembly);
        } else if old.tools == new.tools && self.object != fresh.object {
            reasons.push("the code is the same but its data or its BTF differs");
        }
        if !reasons.is_empty() && old.tools != new.tools {
            reasons.push("the tools differ too");
        }
        if !reasons.is_empty() {
            diff += &unified(BUILDINFO, &self.build_info, &fresh.build_info);
        }
        Drift { reasons, diff }
    }
}

fn files(folder: &Path) -> [PathBuf; 3] {
    [OBJECT, DISASSEMBLY, BUILDINFO].map(|name| folder.join(name))
}

/// The code of every section with relocations, without addresses, instruction bytes or the name
/// of the file: text in which a change of the sources shows as few lines as possible.
fn disassemble(object: &Path, toolchain: &Toolchain) -> Result<String> {
    let text = capture(
        Command::new(llvm_tool(toolchain, "llvm-objdump")?)
            .args([
                "--disassemble",
                "--reloc",
                "--demangle",
                "--symbolize-operands",
            ])
            .args(["--no-show-raw-insn", "--no-leading-addr"])
            .arg(object),
    )?;
    let mut lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Disassembly of section"))
        .map(str::trim_end)
        .collect();
    lines.push("");
    Ok(lines.join("\n"))
}

fn build_info(
    object: &[u8],
    sources: &str,
    toolchain: &Toolchain,
    linker: &Linker,
) -> Result<String> {
    let mut text = String::from("# Written by `cargo xtask ebpf build`.\n");
    for (key, value) in [
        ("target", TARGET),
        ("rustc", &toolchain.version),
        ("llvm", &toolchain.llvm),
        ("bpf-linker", &linker.version),
        ("bpf-linker-llvm", &linker.llvm),
        ("aya-ebpf", &aya_ebpf_version()?),
        ("sources", sources),
        ("object", &content_hash(object)),
    ] {
        writeln!(text, "{key} = {value}")?;
    }
    Ok(text)
}

/// The version of aya-ebpf in the lock file of the eBPF workspace.
fn aya_ebpf_version() -> Result<String> {
    let path = paths::ebpf().join("Cargo.lock");
    let lock = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let mut lines = lock
        .lines()
        .skip_while(|line| *line != "name = \"aya-ebpf\"");
    let version = lines
        .nth(1)
        .and_then(|line| line.strip_prefix("version = "));
    let version = version.with_context(|| format!("{} lists no aya-ebpf", path.display()))?;
    Ok(version.trim_matches('"').to_owned())
}

/// The lines of a BUILDINFO that a comparison asks for.
#[derive(PartialEq)]
struct Facts<'a> {
    sources: Option<&'a str>,
    tools: [Option<&'a str>; 5],
}

impl<'a> Facts<'a> {
    fn of(build_info: &'a str) -> Self {
        let value = |key: &str| {
            let mut lines = build_info.lines().filter_map(|line| line.split_once(" = "));
            lines.find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let tools = ["rustc", "llvm", "bpf-linker", "bpf-linker-llvm", "aya-ebpf"];
        Self {
            sources: value("sources"),
            tools: tools.map(value),
        }
    }
}

fn unified(name: &str, committed: &str, fresh: &str) -> String {
    TextDiff::from_lines(committed, fresh)
        .unified_diff()
        .header(&format!("committed/{name}"), &format!("built/{name}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::Output;

    fn output(code: &str, object: u8, rustc: &str, sources: &str) -> Output {
        Output {
            object: vec![object],
            disassembly: format!("{code}\n"),
            build_info: format!("rustc = {rustc}\nsources = {sources}\n"),
        }
    }

    #[test]
    fn equal_builds_do_not_drift() {
        let committed = output("exit", 1, "1.96", "aa");
        assert!(committed.drift(&output("exit", 1, "1.96", "aa")).is_empty());
    }

    #[test]
    fn other_code_is_shown_as_a_diff() {
        let drift = output("w0 = 1", 1, "1.96", "aa").drift(&output("w0 = 2", 2, "1.96", "bb"));
        assert_eq!(drift.reasons.len(), 2);
        assert!(drift.diff.contains("-w0 = 1\n+w0 = 2\n"), "{}", drift.diff);
        assert!(
            drift.diff.contains("-sources = aa\n+sources = bb\n"),
            "{}",
            drift.diff
        );
    }

    #[test]
    fn other_bytes_drift_only_with_the_same_tools() {
        let committed = output("exit", 1, "1.96", "aa");
        assert!(!committed.drift(&output("exit", 2, "1.96", "aa")).is_empty());
        assert!(committed.drift(&output("exit", 2, "1.97", "aa")).is_empty());
    }
}
