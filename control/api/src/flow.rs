//! Flows, of which there may be millions: one short line of JSON each.

use std::{
    borrow::Cow,
    net::{SocketAddr, SocketAddrV4},
};

use ferrovs_model::Protocol;
use serde::{Deserialize, Serialize, Serializer};

/// One flow. It borrows its state's name, so that reading a line does not allocate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct FlowView<'a> {
    /// The protocol; none for the template of a service by mark, which is for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Seconds until it is forgotten if no packet comes.
    pub expires: u32,
    /// The state as IPVS prints it: `NONE`, `ESTABLISHED`, `SYN_SENT`, `SYN_RECV`, `FIN_WAIT`,
    /// `TIME_WAIT`, `CLOSE`, `CLOSE_WAIT`, `LAST_ACK`, `LISTEN`, `SYNACK`; `UDP` for a UDP flow.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// The client's endpoint (CIP).
    #[serde(serialize_with = "serialize")]
    pub client: SocketAddr,
    /// The virtual endpoint (VIP) it asked.
    #[serde(rename = "virtual", serialize_with = "serialize")]
    pub virtual_: SocketAddr,
    /// The real server's endpoint (RIP) that answers.
    #[serde(serialize_with = "serialize")]
    pub destination: SocketAddr,
    /// Of a template that a persistence engine made: what it keeps together besides the client.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineView<'a>>,
}

/// What a persistence engine keeps together.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EngineView<'a> {
    /// The engine's name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// For `sip`, the Call-ID; empty if there was no room to keep it.
    #[serde(borrow)]
    pub data: Cow<'a, str>,
}

impl FlowView<'_> {
    /// The protocol's name in listings, `IP` for all.
    #[must_use]
    pub fn protocol_name(&self) -> &'static str {
        self.protocol.map_or("IP", Protocol::name)
    }
}

/// As serde does it, but faster.
fn serialize<S: Serializer>(address: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    let SocketAddr::V4(v4) = address else {
        return address.serialize(serializer);
    };
    let mut text = String::with_capacity("255.255.255.255:65535".len());
    push_endpoint(*v4, &mut text);
    serializer.serialize_str(&text)
}

/// Adds `ADDRESS:PORT` to `line`, as it is displayed, but without the machinery of formatting: of a
/// million flows both ends write three million.
pub fn push_endpoint(endpoint: SocketAddrV4, line: &mut String) {
    let mut digits = itoa::Buffer::new();
    let [first, others @ ..] = endpoint.ip().octets();
    line.push_str(digits.format(first));
    for octet in others {
        line.push('.');
        line.push_str(digits.format(octet));
    }
    line.push(':');
    line.push_str(digits.format(endpoint.port()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_one_line_and_its_state_is_borrowed() {
        let flow = FlowView {
            protocol: Some(Protocol::Tcp),
            expires: 899,
            state: Cow::Borrowed("ESTABLISHED"),
            client: "169.254.179.60:40000".parse().unwrap(),
            virtual_: "169.254.179.1:80".parse().unwrap(),
            destination: "192.168.2.143:80".parse().unwrap(),
            engine: None,
        };
        let line = r#"{"protocol":"tcp","expires":899,"state":"ESTABLISHED","client":"169.254.179.60:40000","virtual":"169.254.179.1:80","destination":"192.168.2.143:80"}"#;
        assert_eq!(serde_json::to_string(&flow).unwrap(), line);
        let read: FlowView<'_> = serde_json::from_str(line).unwrap();
        assert_eq!(read, flow);
        assert!(matches!(read.state, Cow::Borrowed(_)));
    }

    #[test]
    fn a_template_says_what_its_engine_keeps_together() {
        let line = r#"{"protocol":"udp","expires":59,"state":"NONE","client":"10.0.1.2:0","virtual":"10.0.1.1:5060","destination":"10.0.2.12:5060","engine":{"name":"sip","data":"one\\a@b"}}"#;
        let read: FlowView<'_> = serde_json::from_str(line).unwrap();
        let engine = read.engine.as_ref().unwrap();
        assert_eq!((&*engine.name, &*engine.data), ("sip", "one\\a@b"));
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }

    #[test]
    fn endpoints_are_written_as_they_are_displayed() {
        let table = ["0.0.0.0:0", "1.20.255.9:65535", "[2001:db8::1]:80"];
        for endpoint in table.map(|text| text.parse::<SocketAddr>().unwrap()) {
            let mut written = Vec::new();
            serialize(&endpoint, &mut serde_json::Serializer::new(&mut written)).unwrap();
            assert_eq!(written, format!("\"{endpoint}\"").as_bytes());
        }
    }
}
