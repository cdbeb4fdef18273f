//! `ferrovs status`.

use std::io::{self, Write};

use ferrovs_api::{Status, client::Client};

/// Asks the daemon of this network namespace how it is, and prints the answer.
pub(super) fn run() -> anyhow::Result<()> {
    let status = Client::connect()?.status()?;
    print(&status, &mut io::stdout().lock())?;
    Ok(())
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
    writeln!(out, "{flows} flows of at most {flow_limit}")?;
    for event in events {
        writeln!(out, "{}: {}", event.reason, event.count)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ferrovs_api::{EventView, HookView};

    use super::*;

    #[test]
    fn the_status_is_a_few_lines() {
        let status = Status {
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
            events: vec![EventView {
                reason: "no-flow".to_owned(),
                count: 4,
            }],
        };
        let mut out = Vec::new();
        print(&status, &mut out).unwrap();
        let expected = "ferrovs 0.1.0, process 42, started by a command\n\
                        tc on eth0: carries the VIP 10.0.0.1\n\
                        1 services, 2 destinations\n\
                        3 flows of at most 1000000\n\
                        no-flow: 4\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
