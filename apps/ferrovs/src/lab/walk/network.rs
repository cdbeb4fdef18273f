//! Steps 1 to 4: machines, addresses, gateways, web servers.

use anyhow::{Context, Result};
use ferrovs_lab::{
    CLIENT, DIP, Hook, Id, Link, Namespace, Options as Stage, PREFIX, RealServer, Topology, VIP,
    http::fetch,
};

use super::{SHOWN, Walk};
use crate::lab::{interrupt, options::Servers};

impl Walk<'_> {
    pub(super) fn build_network(&self) -> Result<Topology> {
        let topology = self.cable()?;
        self.assign_addresses(&topology)?;
        self.set_gateways(&topology)?;
        Ok(topology)
    }

    fn cable(&self) -> Result<Topology> {
        let screen = self.screen;
        let count = usize::from(self.options.count);
        screen.step("The machines and their cables")?;
        screen.say(format_args!(
            "A client, a director, {count} real servers and a switch: network namespaces, joined by"
        ))?;
        screen.say("virtual Ethernet cables.")?;
        let stage = Stage {
            servers: count,
            hook: self.options.hook,
            id: if self.options.keep {
                Id::kept()
            } else {
                Id::unique()
            },
        };
        let bar = screen.progress("making real servers", count);
        let topology = Topology::cable(stage, &mut |done| {
            bar.set_position(done as u64);
            interrupt::flow()
        })?;
        let (client, director, switch) = (
            topology.client.name(),
            topology.director.name(),
            topology.switch.name(),
        );
        for machine in [client, director, switch] {
            screen.command("host", format_args!("ip netns add {machine}"))?;
        }
        let servers = &topology.servers[..SHOWN.min(count)];
        for server in servers {
            screen.command(
                "host",
                format_args!("ip netns add {}", server.namespace.name()),
            )?;
        }
        let cable = |near: &str, end: &str, far: &str, other: &str| {
            let command =
                format!("ip -n {near} link add {end} type veth peer name {other} netns {far}");
            screen.command("host", command)
        };
        cable(client, "eth0", director, "outer")?;
        screen.command("switch", "ip link add lan type bridge")?;
        cable(switch, "director", director, "inner")?;
        for server in servers {
            cable(switch, &port(server), server.namespace.name(), "eth0")?;
        }
        screen.command("switch", "ip link set director master lan")?;
        for server in servers {
            screen.command(
                "switch",
                format_args!("ip link set {} master lan", port(server)),
            )?;
        }
        screen.command("each", "ip link set INTERFACE up")?;
        if self.options.hook == Hook::Xdp {
            screen.say(
                "XDP sees packets before their checksums are filled in later, so on each end:",
            )?;
            screen.command("each", "ethtool -K INTERFACE tx off")?;
            screen.say(
                "and what XDP sends into a virtual cable arrives only where its end does GRO:",
            )?;
            screen.command("client", "ethtool -K eth0 gro on")?;
            screen.command("switch", "ethtool -K director gro on")?;
        }
        self.say_more("real servers", count)?;
        screen.say("The kernel now has:")?;
        for (host, namespace, interface) in interfaces(&topology) {
            let mac = namespace.link(interface)?.mac()?;
            screen.text(&format!("{host:<9} {interface:<6} {mac}"))?;
        }
        Ok(topology)
    }

    fn assign_addresses(&self, topology: &Topology) -> Result<()> {
        let screen = self.screen;
        screen.step("The addresses")?;
        screen.say(format_args!(
            "The director has the virtual address {VIP} on its outer side, and {DIP} inside."
        ))?;
        let bar = screen.progress("assigning addresses", topology.servers.len());
        topology.assign_addresses(&mut |done| {
            bar.set_position(done as u64);
            interrupt::flow()
        })?;
        let add = |host: &str, address, interface: &str| {
            screen.command(
                host,
                format_args!("ip address add {address}/{PREFIX} dev {interface}"),
            )
        };
        add("client", CLIENT, "eth0")?;
        add("director", VIP, "outer")?;
        add("director", DIP, "inner")?;
        for server in topology.servers.iter().take(SHOWN) {
            add(&port(server), server.address, "eth0")?;
        }
        self.say_more("real servers", topology.servers.len())?;
        screen.say("The kernel now has:")?;
        for (host, namespace, interface) in interfaces(topology) {
            let link = namespace.link(interface)?;
            screen.text(&format!("{host:<9} {interface:<6} {}", addresses(link)?))?;
        }
        Ok(())
    }

    fn set_gateways(&self, topology: &Topology) -> Result<()> {
        let screen = self.screen;
        screen.step("The gateways")?;
        screen.say(
            "What a real server answers must come back through the director, so its default",
        )?;
        screen.say(format_args!(
            "gateway is {DIP}. A real server with another one never answers."
        ))?;
        let bar = screen.progress("setting gateways", topology.servers.len());
        topology.set_gateways(&mut |done| {
            bar.set_position(done as u64);
            interrupt::flow()
        })?;
        for server in topology.servers.iter().take(SHOWN) {
            screen.command(
                &port(server),
                format_args!("ip route add default via {DIP}"),
            )?;
            let gateway = server.namespace.default_gateway()?;
            let gateway = gateway.context("the kernel has no default gateway")?;
            screen.text(&format!("{} default via {gateway}", port(server)))?;
        }
        self.say_more("real servers", topology.servers.len())
    }

    pub(super) fn start_web_servers(&self, topology: &mut Topology) -> Result<()> {
        let screen = self.screen;
        screen.step("The web servers")?;
        screen.say("Each real server has a home page of its own. A test from the director:")?;
        let bar = screen.progress("starting web servers", topology.servers.len());
        topology.start_web_servers(&self.web_servers(), &mut |done| {
            bar.set_position(done as u64);
            interrupt::flow()
        })?;
        let command = match self.options.servers {
            Servers::Builtin => format!("{} lab --serve", super::typed_name()),
            Servers::Nginx => "nginx # with a configuration of the lab's own, listening on".into(),
        };
        for server in topology.servers.iter().take(SHOWN) {
            screen.command(
                &port(server),
                format_args!("{command} {}", server.web_address()),
            )?;
        }
        for (number, server) in topology.servers.iter().enumerate() {
            interrupt::check()?;
            let page = fetch(&topology.director, server.web_address(), "/")?;
            if number < SHOWN {
                screen.command("director", format_args!("curl http://{}/", server.address))?;
                screen.text(&page.text())?;
            }
        }
        self.say_more("real servers", topology.servers.len())
    }
}

/// The interfaces worth showing, with the hosts they are in.
fn interfaces(topology: &Topology) -> Vec<(String, &Namespace, &'static str)> {
    let mut shown = vec![
        ("client".to_owned(), &topology.client, "eth0"),
        ("director".to_owned(), &topology.director, "outer"),
        ("director".to_owned(), &topology.director, "inner"),
    ];
    let servers = topology.servers.iter().take(SHOWN);
    shown.extend(servers.map(|server| (port(server), &server.namespace, "eth0")));
    shown
}

fn addresses(link: Link<'_>) -> Result<String> {
    let addresses = link.addresses()?;
    let texts: Vec<_> = addresses
        .iter()
        .map(|(address, prefix)| format!("{address}/{prefix}"))
        .collect();
    Ok(texts.join(" "))
}

/// A real server's short name, which is also the name of its port at the switch.
fn port(server: &RealServer) -> String {
    format!("rs{}", server.address.octets()[3])
}
