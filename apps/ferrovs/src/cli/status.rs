//! `ferrovs status`.

use std::io::{self, Write};

use clap::Args;
use ferrovs_api::{SpanView, Status, UnforwardedView, client::Client};

use super::output;

/// Of services with traffic and of what is not forwarded, so many lines are printed.
const LINES: usize = 20;

/// Options of `ferrovs status`.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Options {
    /// Print everything that is known, as JSON
    #[arg(long)]
    json: bool,
}

/// Asks the daemon of this network namespace how it is, and prints the answer.
pub(super) fn run(options: Options) -> anyhow::Result<()> {
    let status = Client::connect()?.status()?;
    let mut text = Vec::new();
    if options.json {
        serde_json::to_writer_pretty(&mut text, &status)?;
        writeln!(text)?;
    } else {
        print(&status, &mut text)?;
    }
    output::say(str::from_utf8(&text)?)
}

fn print(status: &Status, out: &mut dyn Write) -> io::Result<()> {
    let Status {
        version,
        pid,
        autostarted,
        hooks,
        services,
        destinations,
        flows,
        flow_limit,
        table_bytes,
        lifetime,
        rates,
        service_rates,
        unforwarded,
        events,
    } = status;
    let started = if *autostarted {
        ", started by a command"
    } else {
        ""
    };
    writeln!(out, "ferrovs {version}, process {pid}{started}")?;
    for hook in hooks {
        writeln!(out, "{} on {}: {}", hook.hook, hook.interface, hook.reason)?;
    }
    writeln!(out, "{services} services, {destinations} destinations")?;
    print_unforwarded(unforwarded, out)?;
    writeln!(
        out,
        "{flows} flows of at most {flow_limit}, {:.1} MB of tables",
        *table_bytes as f64 / 1e6
    )?;
    writeln!(
        out,
        "{} connections, {} packets in, {} out, {} bytes in, {} out since the start",
        lifetime.conns,
        lifetime.in_packets,
        lifetime.out_packets,
        lifetime.in_bytes,
        lifetime.out_bytes
    )?;
    print_rates("everything", rates, out)?;
    for of_service in service_rates.iter().take(LINES) {
        print_rates(&of_service.service, &of_service.rates, out)?;
    }
    print_more(service_rates.len(), "services have traffic", out)?;
    for event in events {
        writeln!(out, "{}: {}", event.reason, event.count)?;
    }
    Ok(())
}

fn print_unforwarded(unforwarded: &[UnforwardedView], out: &mut dyn Write) -> io::Result<()> {
    for one in unforwarded.iter().take(LINES) {
        let service = &one.service;
        let lacks = one.lacks.join(", ");
        writeln!(out, "not forwarded yet: {service}: {lacks}")?;
    }
    print_more(unforwarded.len(), "are not forwarded yet", out)
}

/// Each figure over the spans that there are: `everything, per second over 1/10/60 s: 12.0/11.5/3.2
/// connections, ...`.
fn print_rates(of: &str, rates: &[SpanView], out: &mut dyn Write) -> io::Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    let joined = |figure: fn(&SpanView) -> String| {
        let figures: Vec<String> = rates.iter().map(figure).collect();
        figures.join("/")
    };
    writeln!(
        out,
        "{of}, per second over {} s: {} connections, {} packets in, {} out, {} bytes in, {} out",
        joined(|span| span.seconds.to_string()),
        joined(|span| format!("{:.1}", span.conns)),
        joined(|span| format!("{:.0}", span.in_packets)),
        joined(|span| format!("{:.0}", span.out_packets)),
        joined(|span| format!("{:.0}", span.in_bytes)),
        joined(|span| format!("{:.0}", span.out_bytes)),
    )
}

fn print_more(all: usize, what: &str, out: &mut dyn Write) -> io::Result<()> {
    match all.checked_sub(LINES) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "{more} more {what}: see `ferrovs status --json`"),
    }
}

#[cfg(test)]
mod tests {
    use ferrovs_api::{Counters, EventView, HookView, ServiceRatesView};

    use super::*;

    fn span(seconds: u32, conns: f64) -> SpanView {
        SpanView {
            seconds,
            conns,
            in_packets: 5.0,
            out_packets: 4.0,
            in_bytes: 300.0,
            out_bytes: 2000.4,
        }
    }

    fn status() -> Status {
        Status {
            version: "0.1.0".to_owned(),
            pid: 42,
            autostarted: true,
            hooks: vec![HookView {
                interface: "eth0".to_owned(),
                hook: "tc".to_owned(),
                reason: "carries the VIP 10.0.0.1".to_owned(),
            }],
            services: 1,
            destinations: 2,
            flows: 3,
            flow_limit: 1_000_000,
            table_bytes: 134_777_216,
            lifetime: Counters {
                conns: 7,
                ..Counters::default()
            },
            rates: vec![span(1, 12.0), span(10, 3.25)],
            service_rates: vec![ServiceRatesView {
                service: "TCP 10.0.0.1:80".to_owned(),
                rates: vec![span(1, 12.0)],
            }],
            unforwarded: vec![UnforwardedView {
                service: "TCP 10.0.0.1:443".to_owned(),
                lacks: vec!["the scheduler wlc".to_owned(), "IPv6".to_owned()],
            }],
            events: vec![EventView {
                reason: "no-flow".to_owned(),
                count: 4,
            }],
        }
    }

    fn printed(status: &Status) -> String {
        let mut out = Vec::new();
        print(status, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_status_is_a_few_lines() {
        let expected = "ferrovs 0.1.0, process 42, started by a command\n\
            tc on eth0: carries the VIP 10.0.0.1\n\
            1 services, 2 destinations\n\
            not forwarded yet: TCP 10.0.0.1:443: the scheduler wlc, IPv6\n\
            3 flows of at most 1000000, 134.8 MB of tables\n\
            7 connections, 0 packets in, 0 out, 0 bytes in, 0 out since the start\n\
            everything, per second over 1/10 s: 12.0/3.2 connections, 5/5 packets in, 4/4 out, \
            300/300 bytes in, 2000/2000 out\n\
            TCP 10.0.0.1:80, per second over 1 s: 12.0 connections, 5 packets in, 4 out, \
            300 bytes in, 2000 out\n\
            no-flow: 4\n";
        assert_eq!(printed(&status()), expected);
    }

    #[test]
    fn many_lines_are_cut() {
        let mut status = status();
        status.unforwarded = vec![status.unforwarded[0].clone(); LINES + 5];
        let text = printed(&status);
        assert_eq!(text.matches("the scheduler wlc").count(), LINES);
        assert!(text.contains("\n5 more are not forwarded yet: see `ferrovs status --json`\n"));
    }
}
