//! BUILDINFO: how the committed object came about, one `key = value` per line.

/// What BUILDINFO says. Every field is empty when its line is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo<'a> {
    /// The compiler, as `rustc --version` names itself.
    pub rustc: &'a str,
    /// Version of the LLVM inside that compiler.
    pub llvm: &'a str,
    /// Version of bpf-linker.
    pub bpf_linker: &'a str,
    /// Version of the aya-ebpf crate.
    pub aya_ebpf: &'a str,
    /// SHA-256 over the sources, in hexadecimal.
    pub sources: &'a str,
    /// SHA-256 of the object file, in hexadecimal.
    pub object: &'a str,
}

impl<'a> BuildInfo<'a> {
    /// Reads the text of a BUILDINFO file. Lines with unknown keys and comments are skipped, so
    /// that an older program can read a newer file.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let mut info = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            match key.trim() {
                "rustc" => info.rustc = value,
                "llvm" => info.llvm = value,
                "bpf-linker" => info.bpf_linker = value,
                "aya-ebpf" => info.aya_ebpf = value,
                "sources" => info.sources = value,
                "object" => info.object = value,
                _ => {}
            }
        }
        info
    }
}

#[cfg(test)]
mod tests {
    use super::BuildInfo;

    #[test]
    fn reads_known_lines_and_skips_the_rest() {
        let text =
            "# a comment = not a key\nrustc = rustc 1.96.0 (x = y)\nfuture = 1\n\nobject=ab\n";
        let info = BuildInfo::parse(text);
        assert_eq!(info.rustc, "rustc 1.96.0 (x = y)");
        assert_eq!(info.object, "ab");
        assert_eq!(info.sources, "");
    }
}
