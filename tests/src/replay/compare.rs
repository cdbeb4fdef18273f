//! Two runs of a scenario, side by side.

use std::fmt;

use super::line::Line;

/// A line that is not the same in both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The title (`##`) it stands under.
    pub title: String,
    /// The line in the first; empty where that has ended before.
    pub first: String,
    /// The line in the second.
    pub second: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            title,
            first,
            second,
        } = self;
        write!(out, "## {title}\n- {first}\n+ {second}")
    }
}

/// Where two runs differ, but for what differs by itself: ports and sequence numbers that nobody has chosen, a few
/// seconds, the order of connections.
pub fn compare(first: &str, second: &str) -> Vec<Difference> {
    let (first, second) = (sections(first), sections(second));
    let count = first.len().max(second.len());
    (0..count)
        .flat_map(|place| {
            let none = Section::default();
            let first = first.get(place).unwrap_or(&none);
            let second = second.get(place).unwrap_or(&none);
            differences(first, second)
        })
        .collect()
}

#[derive(Default)]
struct Section<'a> {
    title: &'a str,
    lines: Vec<(Line, &'a str)>,
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section::default()];
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section {
                title,
                lines: Vec::new(),
            });
        } else if let Some(section) = sections.last_mut()
            && !line.is_empty()
        {
            section.lines.push((Line::read(line), line));
        }
    }
    for section in &mut sections {
        let lists = section
            .lines
            .chunk_by_mut(|one, next| one.0.is_connection() && next.0.is_connection());
        for list in lists {
            list.sort();
        }
    }
    sections
}

fn differences(first: &Section<'_>, second: &Section<'_>) -> Vec<Difference> {
    let difference = |one: &str, other: &str| Difference {
        title: first.title.to_owned(),
        first: one.to_owned(),
        second: other.to_owned(),
    };
    if first.title != second.title {
        return vec![difference(first.title, second.title)];
    }
    let count = first.lines.len().max(second.lines.len());
    (0..count)
        .filter_map(
            |place| match (first.lines.get(place), second.lines.get(place)) {
                (Some(one), Some(other)) if one.0.is_like(&other.0) => None,
                (one, other) => Some(difference(
                    one.map_or("", |line| line.1),
                    other.map_or("", |line| line.1),
                )),
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_line_by_line() {
        let first = "\n## one\n143 141 \n\n## two\nTCP\n  -> a\n";
        assert_eq!(compare(first, first), []);
        let second = "\n## one\n141 143 \n\n## two\nTCP\n";
        let found = compare(first, second);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["## one\n- 143 141 \n+ 141 143 ", "## two\n-   -> a\n+ "]
        );
    }

    #[test]
    fn connections_may_come_in_any_order() {
        let line = |host: u8| {
            format!("TCP 01:59  TIME_WAIT   10.0.0.1:40000 10.0.0.2:80 10.1.0.{host}:80\n")
        };
        let first = format!("## one\n{}{}", line(1), line(2));
        let second = format!("## one\n{}{}", line(2), line(1));
        assert_eq!(compare(&first, &second), []);
        assert_eq!(compare(&first, &format!("## one\n{}", line(1))).len(), 1);
    }
}
