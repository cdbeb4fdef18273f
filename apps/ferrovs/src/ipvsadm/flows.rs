//! The listing of flows (`-L -c`), of which there may be millions: each is printed as it comes.

use std::io::{self, Write};

use ferrovs_api::FlowView;

use super::endpoint::Naming;

/// Prints flows one by one, below a title that comes with the first, so that what fails before it
/// prints nothing.
pub(super) struct FlowPrinter<'a> {
    naming: Naming<'a>,
    /// Whether persistence engines have columns.
    engines: bool,
    out: &'a mut dyn Write,
    titled: bool,
    /// The line being written, kept so that no row allocates.
    line: String,
}

impl<'a> FlowPrinter<'a> {
    pub(super) const fn new(naming: Naming<'a>, engines: bool, out: &'a mut dyn Write) -> Self {
        Self {
            naming,
            engines,
            out,
            titled: false,
            line: String::new(),
        }
    }

    /// After the last flow, also when there was none.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.print_title()
    }

    fn print_title(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.titled, true) {
            return Ok(());
        }
        let engines = if self.engines {
            "        pe name          pe_data"
        } else {
            ""
        };
        writeln!(
            self.out,
            "IPVS connection entries\n\
             pro expire state       source             virtual            destination{engines}"
        )
    }

    pub(super) fn print(&mut self, flow: &FlowView<'_>) -> io::Result<()> {
        self.print_title()?;
        let FlowView {
            protocol,
            expires,
            state,
            client,
            virtual_,
            destination,
            engine,
        } = flow;
        let engine = engine.as_ref().filter(|_| self.engines);
        let width = if engine.is_some() { 16 } else { 0 };
        self.line.clear();
        self.cell(3, |line| line.push_str(flow.protocol_name()));
        self.cell(6, |line| {
            push_two_digits(expires / 60, line);
            line.push(':');
            push_two_digits(expires % 60, line);
        });
        self.cell(11, |line| line.push_str(state));
        let naming = self.naming;
        for (width, address) in [(18, client), (18, virtual_), (width, destination)] {
            self.cell(width, |line| naming.push(*address, *protocol, line));
        }
        if let Some(engine) = engine {
            self.cell(18, |line| line.push_str(&engine.name));
            self.cell(0, |line| line.push_str(&engine.data));
        }
        // Every cell ends in a blank; the last one's becomes the end of the line.
        self.line.pop();
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    /// Adds a cell of at least `width`, in bytes as in C, and a blank.
    fn cell(&mut self, width: usize, push: impl FnOnce(&mut String)) {
        const BLANKS: &str = "                   ";
        let begin = self.line.len();
        push(&mut self.line);
        let length = self.line.len() - begin;
        self.line.push_str(&BLANKS[..=width.saturating_sub(length)]);
    }
}

/// Adds a number, of at least two digits.
fn push_two_digits(number: u32, line: &mut String) {
    if number < 10 {
        line.push('0');
    }
    line.push_str(itoa::Buffer::new().format(number));
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ferrovs_api::EngineView;
    use ferrovs_model::Protocol;

    use super::*;
    use crate::ipvsadm::names::tests::Table;

    fn printed(numeric: bool, flows: &[FlowView<'_>]) -> String {
        printed_with(numeric, false, flows)
    }

    fn printed_with(numeric: bool, engines: bool, flows: &[FlowView<'_>]) -> String {
        let mut out = Vec::new();
        let naming = Naming {
            numeric,
            names: &Table,
        };
        let mut printer = FlowPrinter::new(naming, engines, &mut out);
        for flow in flows {
            printer.print(flow).unwrap();
        }
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn flow(protocol: Protocol, expires: u32, state: &'static str) -> FlowView<'static> {
        let port = if protocol == Protocol::Udp { 53 } else { 80 };
        FlowView {
            protocol: Some(protocol),
            expires,
            state: Cow::Borrowed(state),
            client: "10.11.12.13:43494".parse().unwrap(),
            virtual_: ([10, 11, 12, 13], port).into(),
            destination: ([192, 168, 2, 141], port).into(),
            engine: None,
        }
    }

    const TITLE: &str = "IPVS connection entries\n\
        pro expire state       source             virtual            destination\n";

    #[test]
    fn rows_are_as_recorded_from_the_real_one() {
        let flows = [
            flow(Protocol::Tcp, 59, "SYN_RECV"),
            flow(Protocol::Tcp, 899, "ESTABLISHED"),
            flow(Protocol::Udp, 2_678_399, "UDP"),
        ];
        let rows = "\
            TCP 00:59  SYN_RECV    10.11.12.13:43494  10.11.12.13:80     192.168.2.141:80\n\
            TCP 14:59  ESTABLISHED 10.11.12.13:43494  10.11.12.13:80     192.168.2.141:80\n\
            UDP 44639:59 UDP         10.11.12.13:43494  10.11.12.13:53     192.168.2.141:53\n";
        assert_eq!(printed(true, &flows), format!("{TITLE}{rows}"));
    }

    #[test]
    fn what_engines_keep_together_has_columns_of_its_own_if_asked_for() {
        let template = |destination: &str, data: &'static str| FlowView {
            protocol: Some(Protocol::Udp),
            expires: 58,
            state: Cow::Borrowed("NONE"),
            client: "10.0.1.2:0".parse().unwrap(),
            virtual_: "10.0.1.1:5060".parse().unwrap(),
            destination: destination.parse().unwrap(),
            engine: Some(EngineView {
                name: Cow::Borrowed("sip"),
                data: Cow::Borrowed(data),
            }),
        };
        let flows = [
            template("10.0.2.12:5060", "ONE@a"),
            template("[fd00:2::13]:5060", "x49"),
            flow(Protocol::Udp, 298, "UDP"),
        ];
        let title = TITLE.replace("destination", "destination        pe name          pe_data");
        let rows = "\
            UDP 00:58  NONE        10.0.1.2:0         10.0.1.1:5060      10.0.2.12:5060   sip                ONE@a\n\
            UDP 00:58  NONE        10.0.1.2:0         10.0.1.1:5060      [fd00:2::13]:5060 sip                x49\n\
            UDP 04:58  UDP         10.11.12.13:43494  10.11.12.13:53     192.168.2.141:53\n";
        assert_eq!(printed_with(true, true, &flows), format!("{title}{rows}"));
        let [first, ..] = flows;
        let row = "UDP 00:58  NONE        10.0.1.2:0         10.0.1.1:5060      10.0.2.12:5060\n";
        assert_eq!(printed(true, &[first]), format!("{TITLE}{row}"));
    }

    #[test]
    fn long_names_are_cut() {
        let flows = [flow(Protocol::Udp, 299, "UDP")];
        let long = "a-very-long-host-name-for-a-virtual-service.example.test";
        let row = format!("UDP 04:59  UDP         {long}:43 {long}:do rs1:domain\n");
        assert_eq!(printed(false, &flows), format!("{TITLE}{row}"));
    }

    #[test]
    fn without_flows_there_is_a_title() {
        assert_eq!(printed(true, &[]), TITLE);
    }
}
