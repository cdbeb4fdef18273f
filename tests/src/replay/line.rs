//! One line of what a scenario printed, without what differs from one run to the next.

/// Ports that scenarios name. A client that names none takes another from 32768 up.
const TOLD: [&str; 7] = [
    "45000", "45001", "45678", "46000", "46001", "50000", "50001",
];
/// Seconds by which a timeout may have gone further in one run than in the other: much less than timeouts are apart, and enough
/// for a machine that is emulated or busy.
const SLACK: u32 = 30;
/// Bytes of a TCP segment that only acknowledges, over IPv4 and over IPv6.
const ACKNOWLEDGEMENT: [i64; 2] = [52, 72];

/// By how many it is longer that says that something came twice (D-SACK, RFC 2883).
const TWICE: i64 = 12;

/// A line, ready to be compared.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Line {
    /// Of a connection of `ipvsadm -Lnc` its addresses: their order is that of a hash table. Empty for other lines.
    pub(super) ends: String,
    /// What must be equal: without timeout, ports that nobody told, sequence numbers and times.
    pub(super) text: String,
    /// Seconds to the connection's end.
    expires: u32,
}

impl Line {
    pub(super) fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, expires, _, _, _, _] = words[..]
            && let Some(expires) = seconds(expires)
        {
            return Self {
                ends: hide_port(&words[3..].join(" "), ":"),
                text: hide_port(&line.replacen(words[1], "mm:ss", 1), ":"),
                expires,
            };
        }
        Self {
            ends: String::new(),
            text: random(&wire(line)),
            expires: 0,
        }
    }

    pub(super) fn is_connection(&self) -> bool {
        !self.ends.is_empty()
    }

    pub(super) fn is_like(&self, other: &Self) -> bool {
        let is_alike = self.text == other.text || same_traffic(&self.text, &other.text);
        is_alike && self.expires.abs_diff(other.expires) <= SLACK
    }
}

/// Whether both are lines of `ipvsadm --stats` about the same traffic, but for acknowledgements: how many there are is for the
/// timers of the two ends to say.
fn same_traffic(one: &str, other: &str) -> bool {
    let figures = |text: &str| {
        let (name, figures) = text.split_at_checked(33)?;
        let figures: Result<Vec<i64>, _> = figures.split_whitespace().map(str::parse).collect();
        let [conns, in_packets, out_packets, in_bytes, out_bytes] = figures.ok()?[..] else {
            return None;
        };
        Some((
            name.to_owned(),
            conns,
            [(in_packets, in_bytes), (out_packets, out_bytes)],
        ))
    };
    let (Some(one), Some(other)) = (figures(one), figures(other)) else {
        return false;
    };
    let acknowledgement = ACKNOWLEDGEMENT[usize::from(one.0.contains('['))];
    let both_ways = one.2.iter().zip(other.2);
    (one.0, one.1) == (other.0, other.1)
        && both_ways
            .map(|(one, other)| (one.0 - other.0, one.1 - other.1))
            .all(|(packets, bytes)| {
                let options = (bytes - packets * acknowledgement) * packets.signum();
                let most = packets.abs() * TWICE;
                (0..=most).contains(&options)
                    && options % TWICE == 0
                    && (packets != 0 || bytes == 0)
            })
}

/// `MM:SS` in seconds.
fn seconds(text: &str) -> Option<u32> {
    let (minutes, seconds) = text.split_once(':')?;
    Some(minutes.parse::<u32>().ok()? * 60 + seconds.parse::<u32>().ok()?)
}

/// A line of b01 about `twos`, which draws lots: what it drew hidden where there was a choice.
fn random(line: &str) -> String {
    let weights = |word: &str| word.strip_prefix("w=").map(str::to_owned);
    let mut words = line.split(' ').peekable();
    let is_twos = words.peek() == Some(&"twos");
    let has_choice = words
        .find_map(weights)
        .is_some_and(|weights| weights.split('/').filter(|&weight| weight != "0").count() > 1);
    if !(is_twos && has_choice) {
        return line.to_owned();
    }
    let drawn = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = line.split(' ').map(|word| match drawn(word) {
        true => "any",
        false => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A line of tcpdump: sequence numbers, times and what depends on the machine's memory hidden.
fn wire(line: &str) -> String {
    if !line.starts_with("IP ") {
        return line.to_owned();
    }
    let mut text = String::new();
    let mut after = "";
    for word in line.split(' ') {
        let is_random = ["seq", "val", "ecr", "wscale"]
            .iter()
            .any(|what| after.ends_with(what));
        let digits = word.trim_end_matches(|last: char| !last.is_ascii_digit());
        if !text.is_empty() {
            text.push(' ');
        }
        if is_random && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            text.push('#');
            text.push_str(&word[digits.len()..]);
        } else {
            text.push_str(&hide_port(word, "."));
        }
        after = word;
    }
    text
}

/// Hides, behind each separator, a number that is a client's own port.
fn hide_port(text: &str, separator: &str) -> String {
    let parts = text.split(separator).enumerate().map(|(place, part)| {
        let length = part.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = part.split_at(length);
        let is_port = number
            .parse()
            .is_ok_and(|port: u16| port >= super::player::FIRST_PORT);
        match place > 0 && is_port && !TOLD.contains(&number) {
            true => format!("PORT{rest}"),
            false => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_alike_but_for_ports_of_their_own_and_a_little_time() {
        let line = |expires: &str, port: &str| {
            Line::read(&format!(
                "TCP {expires}  TIME_WAIT   169.254.179.60:{port} 169.254.179.1:1600 192.168.2.141:80"
            ))
        };
        assert!(line("01:59", "50938").is_connection());
        assert!(line("01:59", "50938").is_like(&line("01:29", "32768")));
        assert!(!line("01:59", "50938").is_like(&line("01:28", "50938")));
        assert!(!line("01:59", "46000").is_like(&line("01:59", "50938")));
        let other = Line::read(
            "TCP 01:59  TIME_WAIT   169.254.179.60:50938 169.254.179.1:1600 192.168.2.143:80",
        );
        assert!(!line("01:59", "50938").is_like(&other));
    }

    #[test]
    fn figures_are_alike_but_for_acknowledgements() {
        let line = |figures| Line::read(&format!("TCP  169.254.179.1:1001           {figures}"));
        let one = line("      14       71       70     4210     4550");
        assert!(one.is_like(&line("      14       70       70     4158     4550")));
        assert!(!one.is_like(&line("      13       71       70     4210     4550")));
        assert!(!one.is_like(&line("      14       71       70     4158     4550")));
        // Something was repeated, and it was said that it came twice.
        assert!(one.is_like(&line("      14       72       71     4274     4602")));
        assert!(!one.is_like(&line("      14       72       71     4280     4602")));
        assert!(!one.is_like(&line("      14       71       70     4222     4550")));
        let line = |figures| Line::read(&format!("TCP  [fd00:a::1]:1002            {figures}"));
        let one = line("      20       99       96     7820     8106");
        assert!(one.is_like(&line("      20       98       96     7748     8106")));
        assert!(!one.is_like(&line("      20       98       96     7768     8106")));
    }

    #[test]
    fn what_was_drawn_by_lot_is_hidden_where_there_was_a_choice() {
        let line = |text| Line::read(text).text;
        assert_eq!(
            line("twos   w=1/1      held8:   143 141 "),
            "twos   w=1/1      held8:   any any "
        );
        let without = "twos   w=1/0      held8:   141 141 ";
        assert_eq!(line(without), without);
        let other = "rr     w=1/1      held8:   143 141 ";
        assert_eq!(line(other), other);
    }

    #[test]
    fn what_passed_on_a_wire_is_alike_but_for_numbers_of_its_own() {
        let line = Line::read(
            "IP 169.254.179.60.40512 > 169.254.179.1.1000: Flags [S], seq 1127546203, win 64240, \
             options [mss 1460,sackOK,TS val 133305178 ecr 0,nop,wscale 7], length 0",
        );
        assert_eq!(
            line.text,
            "IP 169.254.179.60.PORT > 169.254.179.1.1000: Flags [S], seq #, win 64240, \
             options [mss 1460,sackOK,TS val # ecr #,nop,wscale #], length 0"
        );
    }
}
