//! The kernel's own counters of a namespace (`/proc/net/snmp`, `/proc/net/snmp6`).

use std::fs;

use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
};

impl Namespace {
    /// A counter such as `("Ip", "ForwDatagrams")` or `("Ip6", "OutForwDatagrams")`, the packets the kernel
    /// itself has forwarded.
    ///
    /// # Errors
    /// When there is no such counter.
    pub fn counter(&self, group: &str, name: &str) -> Result<u64> {
        // `/proc/net` would be that of the process's first thread.
        let read = |file: &str| {
            let file = format!("/proc/thread-self/net/{file}");
            self.run(|| fs::read_to_string(file))?
                .doing(|| format!("read the counters of {}", self.name()))
        };
        let found = match group {
            "Ip6" => find_ipv6(&read("snmp6")?, group, name),
            _ => find(&read("snmp")?, group, name),
        };
        found.ok_or_else(|| Error::Unexpected(format!("the kernel has no counter {group}.{name}")))
    }
}

/// Each group is a line of names and, below it, a line of values.
fn find(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(found, _)| *found == group);
    let (names, values) = (lines.next()?.1, lines.next()?.1);
    let (_, value) = names
        .split(' ')
        .zip(values.split(' '))
        .find(|(found, _)| *found == name)?;
    value.parse().ok()
}

/// Each counter is a line: group and name in one word, and the value.
fn find_ipv6(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| {
        let (found, value) = (words.next()?, words.next()?);
        let is_it = found.strip_prefix(group) == Some(name);
        is_it.then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_below_its_name() {
        let text = "Ip: Forwarding DefaultTTL ForwDatagrams\nIp: 2 64 17\nTcp: A B\nTcp: 1 -1\n";
        assert_eq!(find(text, "Ip", "ForwDatagrams"), Some(17));
        assert_eq!(find(text, "Tcp", "A"), Some(1));
        assert_eq!(find(text, "Tcp", "ForwDatagrams"), None);
        assert_eq!(find(text, "Udp", "A"), None);
    }

    #[test]
    fn an_ipv6_counter_is_found_beside_its_name() {
        let text = "Ip6InReceives   \t7\nIp6OutForwDatagrams   \t18\n";
        assert_eq!(find_ipv6(text, "Ip6", "OutForwDatagrams"), Some(18));
        assert_eq!(find_ipv6(text, "Ip6", "ForwDatagrams"), None);
    }
}
