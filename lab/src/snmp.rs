//! The kernel's own counters of a namespace (`/proc/net/snmp`).

use std::fs;

use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
};

impl Namespace {
    /// A counter such as `("Ip", "ForwDatagrams")`, the packets the kernel itself has forwarded.
    ///
    /// # Errors
    /// When there is no such counter.
    pub fn counter(&self, group: &str, name: &str) -> Result<u64> {
        // `/proc/net` would be that of the process's first thread.
        let text = self
            .run(|| fs::read_to_string("/proc/thread-self/net/snmp"))?
            .doing(|| format!("read the counters of {}", self.name()))?;
        find(&text, group, name)
            .ok_or_else(|| Error::Unexpected(format!("the kernel has no counter {group}.{name}")))
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
}
