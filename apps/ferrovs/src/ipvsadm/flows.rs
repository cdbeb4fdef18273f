//! The listing of flows (`-L -c`), of which there may be millions: each is printed as it comes.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use ferrovs_api::FlowView;

use super::{endpoint::Naming, names::Names};

/// Prints flows one by one, below a title that comes with the first, so that what fails before it
/// prints nothing.
pub(super) struct FlowPrinter<'a> {
    numeric: bool,
    /// Whether persistence engines have columns.
    engines: bool,
    names: &'a dyn Names,
    out: &'a mut dyn Write,
    titled: bool,
    /// The line being written and a cell of it, kept so that no row allocates.
    line: String,
    cell: String,
}

impl<'a> FlowPrinter<'a> {
    pub(super) const fn new(
        numeric: bool,
        engines: bool,
        names: &'a dyn Names,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            numeric,
            engines,
            names,
            out,
            titled: false,
            line: String::new(),
            cell: String::new(),
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
        } = flow;
        self.line.clear();
        let (minutes, seconds) = (expires / 60, expires % 60);
        self.push(3, format_args!("{}", protocol.name()));
        self.push(6, format_args!("{minutes:02}:{seconds:02}"));
        self.push(11, format_args!("{state}"));
        for (width, address) in [(18, client), (18, virtual_), (0, destination)] {
            if self.numeric {
                self.push(width, format_args!("{address}"));
            } else {
                let naming = Naming {
                    numeric: false,
                    names: self.names,
                };
                let name = naming.endpoint(*address, Some(*protocol));
                self.push(width, format_args!("{name}"));
            }
        }
        // Every cell ends in a blank; the last one's becomes the end of the line.
        self.line.pop();
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())
    }

    /// Adds a cell of at least `width` and a blank.
    fn push(&mut self, width: usize, cell: std::fmt::Arguments<'_>) {
        self.cell.clear();
        // Writing to a string cannot fail.
        let _ = self.cell.write_fmt(cell);
        self.line.push_str(&self.cell);
        let padding = width.saturating_sub(self.cell.chars().count()) + 1;
        self.line.extend(std::iter::repeat_n(' ', padding));
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ferrovs_model::Protocol;

    use super::*;
    use crate::ipvsadm::names::tests::Table;

    fn printed(numeric: bool, flows: &[FlowView<'_>]) -> String {
        let mut out = Vec::new();
        let mut printer = FlowPrinter::new(numeric, false, &Table, &mut out);
        for flow in flows {
            printer.print(flow).unwrap();
        }
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    fn flow(protocol: Protocol, expires: u32, state: &'static str) -> FlowView<'static> {
        let port = if protocol == Protocol::Udp { 53 } else { 80 };
        FlowView {
            protocol,
            expires,
            state: Cow::Borrowed(state),
            client: "10.11.12.13:43494".parse().unwrap(),
            virtual_: ([10, 11, 12, 13], port).into(),
            destination: ([192, 168, 2, 141], port).into(),
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
