//! A recording, line by line: each must be asked for or left with a reason.

use std::{collections::BTreeMap, fs};

pub(crate) struct Tape {
    name: &'static str,
    lines: Vec<String>,
    next: usize,
    left: BTreeMap<&'static str, usize>,
}

impl Tape {
    /// `fixtures/behaviour/NAME.out`.
    pub(crate) fn open(name: &'static str) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let text = fs::read_to_string(format!("{root}/fixtures/behaviour/{name}.out")).unwrap();
        Self {
            name,
            lines: text.lines().map(str::to_owned).collect(),
            next: 0,
            left: BTreeMap::new(),
        }
    }

    /// Where it stands, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}.out:{}", self.name, self.next)
    }

    /// The next line.
    pub(crate) fn take(&mut self) -> String {
        let line = self.lines.get(self.next).cloned();
        self.next += 1;
        line.unwrap_or_else(|| panic!("{}: the recording is over", self.place()))
    }

    /// The line after these, not yet taken.
    pub(crate) fn peek(&self) -> Option<&str> {
        self.lines.get(self.next).map(String::as_str)
    }

    /// The next line must be this one.
    pub(crate) fn expect(&mut self, line: &str) {
        let recorded = self.take();
        assert_eq!(line, recorded, "the model, and {}", self.place());
    }

    /// A scenario begins.
    pub(crate) fn title(&mut self, text: &str) {
        self.expect("");
        self.expect(&format!("## {text}"));
    }

    /// The next line, which begins so, is not the model's business.
    pub(crate) fn leave(&mut self, begin: &str, why: &'static str) {
        let line = self.take();
        assert!(line.starts_with(begin), "{}: {line}", self.place());
        *self.left.entry(why).or_default() += 1;
    }

    /// Nothing may be left, but for what was left with a reason: so many lines, for each.
    pub(crate) fn finish(self, left: &[(&'static str, usize)]) {
        assert_eq!(self.peek(), None, "{}: nobody asked for it", self.place());
        assert_eq!(self.left, left.iter().copied().collect(), "{}", self.name);
    }
}
