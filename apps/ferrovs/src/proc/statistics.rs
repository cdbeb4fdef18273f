//! /proc/net/ip_vs_stats.

use std::io::{self, Write};

use ferrovs_api::Traffic;

pub(super) fn print(total: &Traffic, out: &mut dyn Write) -> io::Result<()> {
    let (counters, rates) = (total.counters, total.rates);
    writeln!(
        out,
        "   Total Incoming Outgoing         Incoming         Outgoing\n   \
         Conns  Packets  Packets            Bytes            Bytes\n\
         {:8X} {:8X} {:8X} {:16X} {:16X}\n",
        counters.conns,
        counters.in_packets,
        counters.out_packets,
        counters.in_bytes,
        counters.out_bytes
    )?;
    writeln!(
        out,
        " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n\
         {:8X} {:8X} {:8X} {:16X} {:16X}",
        rates.conns, rates.in_packets, rates.out_packets, rates.in_bytes, rates.out_bytes
    )
}

#[cfg(test)]
mod tests {
    use ferrovs_api::{Counters, Rates};

    use super::*;

    #[test]
    fn the_file_is_as_recorded_from_the_kernel() {
        let total = Traffic {
            counters: Counters {
                conns: 0x1c,
                in_packets: 0x52,
                out_packets: 0x3c,
                in_bytes: 0x163e,
                out_bytes: 0xf12,
            },
            rates: Rates {
                conns: 2,
                in_packets: 4,
                out_packets: 3,
                in_bytes: 0x151,
                out_bytes: 0xc5,
            },
        };
        let expected = "   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
      1C       52       3C             163E              F12

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       2        4        3              151               C5
";
        let mut out = Vec::new();
        print(&total, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
