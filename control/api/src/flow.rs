//! Flows, of which there may be millions: one short line of JSON each.

use std::{borrow::Cow, net::SocketAddr};

use ferrovs_model::Protocol;
use serde::{Deserialize, Serialize};

/// One flow. It borrows its state's name, so that neither writing nor reading a line allocates.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowView<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// Seconds until it is forgotten if no packet comes.
    pub expires: u32,
    /// The state as IPVS prints it: `NONE`, `ESTABLISHED`, `SYN_SENT`, `SYN_RECV`, `FIN_WAIT`,
    /// `TIME_WAIT`, `CLOSE`, `CLOSE_WAIT`, `LAST_ACK`, `LISTEN`, `SYNACK`; `UDP` for a UDP flow.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// The client's endpoint (CIP).
    pub client: SocketAddr,
    /// The virtual endpoint (VIP) it asked.
    #[serde(rename = "virtual")]
    pub virtual_: SocketAddr,
    /// The real server's endpoint (RIP) that answers.
    pub destination: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_one_line_and_its_state_is_borrowed() {
        let flow = FlowView {
            protocol: Protocol::Tcp,
            expires: 899,
            state: Cow::Borrowed("ESTABLISHED"),
            client: "169.254.179.60:40000".parse().unwrap(),
            virtual_: "169.254.179.1:80".parse().unwrap(),
            destination: "192.168.2.143:80".parse().unwrap(),
        };
        let line = r#"{"protocol":"tcp","expires":899,"state":"ESTABLISHED","client":"169.254.179.60:40000","virtual":"169.254.179.1:80","destination":"192.168.2.143:80"}"#;
        assert_eq!(serde_json::to_string(&flow).unwrap(), line);
        let read: FlowView<'_> = serde_json::from_str(line).unwrap();
        assert_eq!(read, flow);
        assert!(matches!(read.state, Cow::Borrowed(_)));
    }
}
