//! Words and lines that the grammars know. Without them it would take libFuzzer long to spell an option,
//! and longer to come by two addresses of one service.

use ferrovs::ipvsadm::{Program, Session};
use ferrovs_tests::memory::{Director, Recorder};

/// Values of options, good and bad ones.
const VALUES: &str = "\
10.0.0.1:80 10.0.0.1:53 10.0.0.1 10.0.0.1:0 10.0.0.1:http vip:80 0.0.0.0:80 [2001:db8::1]:80 2001:db8::1 \
[::1]:80 [::ffff:10.0.0.1]:80 192.168.2.141:80 192.168.2.141 rs1:80 rs1 224.0.0.1:80 255.255.255.255:80 \
[2001:db8:1::143]:80 [fe80::1]:80 [ff02::1]:80 010.0.0.1 255.255.255.0 24 64 128 129 0.0.0.0 \
rr wrr lc wlc lblc lblcr dh sh sed nq fo ovf mh twos none sip flag-1 flag-2 flag-3 sh-fallback sh-port \
sh-fallback,sh-port,flag-3 mh-fallback mh-port mh-fallback,flag-3 flag-1,flag-2,flag-3 ipip gue gre \
0 1 5 -1 +5 60 360 2678400 2678401 2147483647 2147483648 4294967295 4294967296 65535 65536 \
99999999999999999999 master backup eth0 -- - ipvsadm # =";

/// Commands that make something to work on.
const COMMANDS: &[&str] = &[
    "-A -t 10.0.0.1:80 -s rr",
    "-A -u 10.0.0.1:53 -s sh -b flag-3 -o",
    "-A -t [2001:db8::1]:80 -s mh -p 60 -M 64",
    "-A -f 5 -s wlc",
    "-A -f 5 -6 -s rr -p",
    "-A --sctp-service 10.0.0.1:99 -p 5 -M 255.255.0.0",
    "-a -t 10.0.0.1:80 -r 192.168.2.141:80 -m -w 5",
    "-a -t 10.0.0.1:80 -r 192.168.2.143 -g -x 9 -y 3",
    "-a -f 5 -r 192.168.2.141:8080 -i --tun-type gue --tun-port 6080 --tun-remcsum",
    "-a -f 5 -6 -r [2001:db8:1::143]:0 -m",
    "-a -t [2001:db8::1]:80 -r 10.0.0.3 -i --tun-type gre --tun-csum",
    "-e -t 10.0.0.1:80 -r 192.168.2.141:80 -m -w 0",
    "-d -t 10.0.0.1:80 -r 192.168.2.141:80",
    "-D -t 10.0.0.1:80",
    "-E -t 10.0.0.1:80 -s sed",
    "-Z -t 10.0.0.1:80",
    "-Z",
    "-C",
    "-S",
    "-R",
    "-Ln --stats",
    "--set 1 2 3",
];

/// What a saved file may say, a line or a part of one.
const SAVED_WORDS: &str = "\
format = 1 [[service]] [[service.server]] [timeouts] tcp tcp_fin udp [sysctls] conn_reuse_mode expire_nodest_conn \
sloppy_tcp conntrack \"tcp\" \"udp\" \"sctp\" protocol address \
mark ipv6 scheduler scheduler_flags persistence netmask persistence_engine one_packet server true false \
\"10.0.0.1:80\" \"10.0.0.1:0\" \"[2001:db8::1]:80\" \"192.168.2.141:80\" \"[fe80::1%1]:80\" \"224.0.0.1:80\" \
forwarding \"masq\" \"route\" \"ipip\" \"gue\" \"gre\" tunnel_port tunnel_checksum \"none\" \"full\" \"remote\" \
weight upper_threshold lower_threshold \"rr\" \"mh\" \"sip\" [\"fallback\",\"port\",\"flag-3\"] \"255.255.255.0\" \
64 128 0 1 -1 2147483647 2147483648 4294967295 4294967296 2678400 2678401 0x10 1.5 1979-05-27 é \" \"\"\" { } # \\u0000";

const SAVED_LINES: &[&str] = &[
    "[[service]]",
    "[[service.server]]",
    "[timeouts]",
    "[sysctls]",
    "conn_reuse_mode = 2",
    "expire_nodest_conn = 0",
    "lblc_expiration = 60",
    "protocol = \"tcp\"",
    "address = \"10.0.0.1:80\"",
    "address = \"192.168.2.141:80\"",
    "address = \"[2001:db8::1]:80\"",
    "mark = 5",
    "ipv6 = true",
    "scheduler = \"rr\"",
    "scheduler_flags = [\"port\", \"flag-3\"]",
    "persistence = 60",
    "netmask = 64",
    "netmask = \"255.255.255.0\"",
    "persistence_engine = \"sip\"",
    "one_packet = true",
    "forwarding = \"masq\"",
    "forwarding = \"gue\"",
    "tunnel_port = 6080",
    "tunnel_checksum = \"remote\"",
    "weight = 0",
    "upper_threshold = 9",
    "lower_threshold = 3",
];

/// Options of `ipvsadm`, values for them, and whole commands with `separator` between their words.
#[must_use]
pub fn ipvsadm(separator: char) -> (Vec<String>, Vec<String>) {
    let mut words = options();
    words.extend(VALUES.split(' ').map(str::to_owned));
    let lines = COMMANDS.iter();
    let lines = lines.map(|line| line.replace(' ', &separator.to_string()));
    (words, lines.collect())
}

/// Words and lines of a saved file.
#[must_use]
pub fn saved() -> (Vec<String>, Vec<String>) {
    let words = SAVED_WORDS.split(' ').map(str::to_owned);
    let lines = SAVED_LINES.iter().map(|&line| line.to_owned());
    (words.collect(), lines.collect())
}

/// The options as the help has them, which is made from the table that lines are read with.
fn options() -> Vec<String> {
    let mut help = Vec::new();
    let status = Program::Ipvsadm.main(
        &["--help".to_owned()],
        Session {
            program: "ipvsadm",
            backend: &mut Director::default(),
            names: &Recorder,
            input: &mut &b""[..],
            out: &mut help,
            err: &mut Vec::new(),
        },
    );
    assert_eq!(status, 0, "help can be had");
    let help = String::from_utf8_lossy(&help);
    let words = help.split([' ', ',', '\n']);
    let options = words.filter(|word| word.starts_with('-'));
    options.map(str::to_owned).collect()
}
