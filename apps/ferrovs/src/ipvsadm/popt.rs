//! Words of a command line, taken apart as popt does it, the library that `ipvsadm` uses.
//!
//! Options may be bundled (`-Ln`), glued to their value (`-t10.0.0.1:80`, `-s=rr`,
//! `--scheduler=rr`) or followed by it. They may stand among other words, which are set aside; after
//! `--` every word is. Long options cannot be abbreviated. What is an option, and whether it has a
//! value, is up to the caller.

/// How an option is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    /// After two dashes.
    pub(super) long: &'static str,
    /// Each of these letters, after one dash.
    pub(super) shorts: &'static str,
    pub(super) takes: Takes,
}

impl Spelling {
    pub(super) const fn taking(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    pub(super) fn is(&self, name: Name<'_>) -> bool {
        match name {
            Name::Long(long) => self.long == long,
            Name::Short(letter) => self.shorts.contains(letter),
        }
    }
}

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// A following word is its value only when it does not begin with a dash.
    OptionalValue,
}

/// An option as it was typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Name<'a> {
    Long(&'a str),
    Short(char),
}

/// Why the words cannot be taken apart further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    MissingArgument,
    UnknownOption,
    UnwantedArgument,
}

impl Trouble {
    /// As popt says it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::MissingArgument => "missing argument",
            Self::UnknownOption => "unknown option",
            Self::UnwantedArgument => "option does not take an argument",
        }
    }
}

/// Goes through the words once.
#[derive(Debug)]
pub(super) struct Words<'a> {
    words: &'a [String],
    next: usize,
    /// What is left of a bundle of short options.
    bundle: &'a str,
    /// Set by `--`.
    only_arguments: bool,
    /// The words that were neither an option nor the value of one.
    pub(super) arguments: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) const fn new(words: &'a [String]) -> Self {
        Self {
            words,
            next: 0,
            bundle: "",
            only_arguments: false,
            arguments: Vec::new(),
        }
    }

    /// The next option with its value; none at the end. `find` knows the options and whether they
    /// have a value.
    pub(super) fn next_option<T>(
        &mut self,
        find: impl Fn(Name<'_>) -> Option<(T, Takes)>,
    ) -> Option<Result<(T, Option<&'a str>), Trouble>> {
        loop {
            if let Some(letter) = self.bundle.chars().next() {
                let rest = &self.bundle[letter.len_utf8()..];
                self.bundle = "";
                return Some(self.short(letter, rest, find));
            }
            let word = self.next_word()?;
            if self.only_arguments || !word.starts_with('-') || word == "-" {
                self.arguments.push(word);
            } else if word == "--" {
                self.only_arguments = true;
            } else if let Some(long) = word.strip_prefix("--") {
                return Some(self.long(long, find));
            } else {
                self.bundle = &word[1..];
            }
        }
    }

    /// The word that was looked at last, which is the one to complain about.
    pub(super) fn last_word(&self) -> &'a str {
        match self.next.checked_sub(1) {
            Some(last) => &self.words[last],
            None => "",
        }
    }

    fn short<T>(
        &mut self,
        letter: char,
        rest: &'a str,
        find: impl Fn(Name<'_>) -> Option<(T, Takes)>,
    ) -> Result<(T, Option<&'a str>), Trouble> {
        let (option, takes) = find(Name::Short(letter)).ok_or(Trouble::UnknownOption)?;
        if takes == Takes::Nothing {
            if rest.starts_with('=') {
                return Err(Trouble::UnwantedArgument);
            }
            self.bundle = rest;
            return Ok((option, None));
        }
        let glued = match rest {
            "" => None,
            rest => Some(rest.strip_prefix('=').unwrap_or(rest)),
        };
        Ok((option, self.value(takes, glued)?))
    }

    fn long<T>(
        &mut self,
        word: &'a str,
        find: impl Fn(Name<'_>) -> Option<(T, Takes)>,
    ) -> Result<(T, Option<&'a str>), Trouble> {
        let (name, glued) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let (option, takes) = find(Name::Long(name)).ok_or(Trouble::UnknownOption)?;
        match (takes, glued) {
            (Takes::Nothing, None) => Ok((option, None)),
            (Takes::Nothing, Some(_)) => Err(Trouble::UnwantedArgument),
            (takes, glued) => Ok((option, self.value(takes, glued)?)),
        }
    }

    fn value(&mut self, takes: Takes, glued: Option<&'a str>) -> Result<Option<&'a str>, Trouble> {
        if glued.is_some() {
            return Ok(glued);
        }
        let optional = takes == Takes::OptionalValue;
        match self.words.get(self.next) {
            None if optional => Ok(None),
            None => Err(Trouble::MissingArgument),
            Some(word) if optional && word.starts_with('-') => Ok(None),
            Some(_) => Ok(self.next_word()),
        }
    }

    fn next_word(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next)?;
        self.next += 1;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Spelling] = &[
        Spelling {
            long: "list",
            shorts: "Ll",
            takes: Takes::Nothing,
        },
        Spelling {
            long: "numeric",
            shorts: "n",
            takes: Takes::Nothing,
        },
        Spelling {
            long: "scheduler",
            shorts: "s",
            takes: Takes::Value,
        },
        Spelling {
            long: "persistent",
            shorts: "p",
            takes: Takes::OptionalValue,
        },
    ];

    /// What is found, one word each: `scheduler=rr`, `list`; then the trouble and its word; then
    /// the arguments in brackets.
    fn found(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let mut cursor = Words::new(&words);
        let mut out = Vec::new();
        while let Some(next) = cursor.next_option(|name| {
            let spelling = KNOWN.iter().find(|known| known.is(name))?;
            Some((spelling.long, spelling.takes))
        }) {
            match next {
                Ok((long, None)) => out.push(long.to_owned()),
                Ok((long, Some(value))) => out.push(format!("{long}={value}")),
                Err(trouble) => {
                    out.push(format!("{}: {}", cursor.last_word(), trouble.as_str()));
                    break;
                }
            }
        }
        if !cursor.arguments.is_empty() {
            out.push(format!("{:?}", cursor.arguments));
        }
        out.join(" ")
    }

    #[test]
    fn short_options_bundle_and_glue() {
        assert_eq!(found("-Ln"), "list numeric");
        assert_eq!(found("-lnsrr"), "list numeric scheduler=rr");
        assert_eq!(found("-s=rr -s rr"), "scheduler=rr scheduler=rr");
        assert_eq!(found("-s="), "scheduler=");
        assert_eq!(found("-s -n"), "scheduler=-n");
    }

    #[test]
    fn long_options_are_whole_words() {
        assert_eq!(found("--list --numeric"), "list numeric");
        assert_eq!(
            found("--scheduler=a=b --scheduler rr"),
            "scheduler=a=b scheduler=rr"
        );
        assert_eq!(found("--lis"), "--lis: unknown option");
        assert_eq!(found("--L"), "--L: unknown option");
    }

    #[test]
    fn an_optional_value_has_no_dash() {
        assert_eq!(found("-p 60 -n"), "persistent=60 numeric");
        assert_eq!(found("-p -n"), "persistent numeric");
        assert_eq!(found("-p77 --persistent=-1"), "persistent=77 persistent=-1");
        assert_eq!(found("-p"), "persistent");
        assert_eq!(found("-p -- 60"), r#"persistent ["60"]"#);
    }

    #[test]
    fn other_words_are_set_aside() {
        assert_eq!(found("a -L b - -n"), r#"list numeric ["a", "b", "-"]"#);
        assert_eq!(found("-L -- -n --"), r#"list ["-n", "--"]"#);
        assert_eq!(found(""), r#"[""]"#);
    }

    #[test]
    fn trouble_names_the_whole_word() {
        assert_eq!(found("-Lkn"), "list -Lkn: unknown option");
        assert_eq!(found("-L-n"), "list -L-n: unknown option");
        assert_eq!(found("-Ls"), "list -Ls: missing argument");
        assert_eq!(found("--scheduler"), "--scheduler: missing argument");
        assert_eq!(
            found("-Ln=5"),
            "list -Ln=5: option does not take an argument"
        );
        assert_eq!(
            found("--list=5"),
            "--list=5: option does not take an argument"
        );
        assert_eq!(found("--no=5"), "--no=5: unknown option");
        assert_eq!(found("-né"), "numeric -né: unknown option");
    }
}
