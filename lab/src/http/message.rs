//! The head of a request or an answer: its first line and its fields.

use std::io::{self, BufRead, Read};

/// No head of the stage is larger, in bytes.
const LARGEST: u64 = 16 * 1024;

/// A first line and the fields below it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head and the empty line behind it; `None` when the peer ended before it began.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut from = from.take(LARGEST);
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let first = line.trim_end().to_owned();
        let mut fields = Vec::new();
        loop {
            line.clear();
            if from.read_line(&mut line)? == 0 {
                return Err(bad("a head without an end"));
            }
            let field = line.trim_end();
            if field.is_empty() {
                return Ok(Some(Self { first, fields }));
            }
            let (name, value) = field
                .split_once(':')
                .ok_or_else(|| bad("a field without a colon"))?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }
}

pub(super) fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_case() {
        let mut text = &b"GET / HTTP/1.1\r\nHost: a\r\ncontent-length:  12 \r\n\r\nbody"[..];
        let head = Head::read(&mut text).unwrap().unwrap();
        assert_eq!(head.first, "GET / HTTP/1.1");
        assert_eq!(head.field("Content-Length"), Some("12"));
        assert_eq!(head.field("Accept"), None);
        assert_eq!(text, b"body");
    }

    #[test]
    fn nothing_is_none_and_half_a_head_is_an_error() {
        assert!(Head::read(&mut &b""[..]).unwrap().is_none());
        assert!(Head::read(&mut &b"GET / HTTP/1.1\r\nHost: a\r\n"[..]).is_err());
        assert!(Head::read(&mut &b"GET / HTTP/1.1\r\nHost\r\n\r\n"[..]).is_err());
        let endless = vec![b'a'; 20_000];
        assert!(Head::read(&mut endless.as_slice()).is_err());
    }
}
