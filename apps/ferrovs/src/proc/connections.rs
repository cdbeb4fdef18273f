//! /proc/net/ip_vs_conn.

use std::io::{self, Write};

use ferrovs_api::{EngineView, FlowView};

use super::Address;

pub(super) fn print_title(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData"
    )
}

pub(super) fn print(flow: &FlowView<'_>, out: &mut dyn Write) -> io::Result<()> {
    let name = flow.protocol_name();
    write!(out, "{name:<3}")?;
    for endpoint in [flow.client, flow.virtual_, flow.destination] {
        write!(out, " {} {:04X}", Address(endpoint.ip()), endpoint.port())?;
    }
    let (state, expires) = (&flow.state, flow.expires);
    write!(out, " {state:<11} {expires:>7}")?;
    if let Some(EngineView { name, data }) = &flow.engine {
        write!(out, " {name} {data}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ferrovs_model::Protocol;

    use super::*;

    #[test]
    fn rows_are_as_recorded_from_the_kernel() {
        let flow =
            |protocol, state, expires, [client, virtual_, destination]: [&str; 3]| FlowView {
                protocol: Some(protocol),
                expires,
                state: Cow::Borrowed(state),
                client: client.parse().unwrap(),
                virtual_: virtual_.parse().unwrap(),
                destination: destination.parse().unwrap(),
                engine: None,
            };
        let tcp = [
            "169.254.179.64:40005",
            "169.254.179.1:2001",
            "192.168.2.147:2001",
        ];
        let udp = [
            "[fd00:a::60]:43004",
            "[fd00:a::1]:5060",
            "[fd00:b::141]:5060",
        ];
        let call = ["10.0.1.2:0", "10.0.1.1:5060", "10.0.2.12:5060"];
        let template = FlowView {
            engine: Some(EngineView {
                name: Cow::Borrowed("sip"),
                data: Cow::Borrowed("ONE@a"),
            }),
            ..flow(Protocol::Udp, "NONE", 58, call)
        };
        let mut out = Vec::new();
        for flow in [
            flow(Protocol::Tcp, "ESTABLISHED", 891, tcp),
            flow(Protocol::Udp, "UDP", 297, udp),
            template,
        ] {
            print(&flow, &mut out).unwrap();
        }
        let v6 = "fd00:000a:0000:0000:0000:0000:0000";
        let v6_dest = "fd00:000b:0000:0000:0000:0000:0000";
        let expected = format!(
            "TCP A9FEB340 9C45 A9FEB301 07D1 C0A80293 07D1 ESTABLISHED     891\n\
             UDP {v6}:0060 A7FC {v6}:0001 13C4 {v6_dest}:0141 13C4 UDP             297\n\
             UDP 0A000102 0000 0A000101 13C4 0A00020C 13C4 NONE             58 sip ONE@a\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
