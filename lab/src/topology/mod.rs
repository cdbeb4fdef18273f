//! The LVS-NAT demonstration: a client, a director, real servers behind a switch.
//!
//! ```text
//!  client                    director                       switch      real servers
//!  eth0 ------------------- outer   inner ---------- director [lan] rsNNN ------- eth0
//!  169.254.179.60   169.254.179.1   192.168.2.140                   192.168.2.141, .143, ...
//!                         (VIP)        (DIP)                        default gateway: the DIP
//! ```

mod id;
mod servers;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

pub use self::{
    id::{Id, Removed, leftovers, remove_leftovers},
    servers::{RealServer, WebServers, server_address},
};
use crate::{
    daemon::Hook,
    error::{Doing, Error, Result},
    link::{Link, Offload, veth},
    namespace::Namespace,
};

/// The client's address.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 60);
/// The virtual address, on the director's outer interface.
pub const VIP: Ipv4Addr = Ipv4Addr::new(169, 254, 179, 1);
/// The director's inner address.
pub const DIP: Ipv4Addr = Ipv4Addr::new(192, 168, 2, 140);
/// The length of both networks' prefixes, in bits.
pub const PREFIX: u8 = 24;

/// What to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many real servers, 1 to 200.
    pub servers: usize,
    /// The hook the director will use. Cables differ: for XDP, no end leaves checksums to the
    /// receiver, and the far ends of the director's interfaces join what they receive (a veth takes
    /// redirected frames only then). For the others they stay as the kernel makes them.
    pub hook: Hook,
    /// What the namespaces are called.
    pub id: Id,
}

impl Default for Options {
    /// Two servers, the hook left to the daemon, names that nobody else uses.
    fn default() -> Self {
        Self {
            servers: 2,
            hook: Hook::Auto,
            id: Id::unique(),
        }
    }
}

/// The demonstration, standing. Dropping it takes everything away, unless it was
/// [kept](Self::keep).
#[derive(Debug)]
pub struct Topology {
    /// Asks for pages. Its interface is `eth0`.
    pub client: Namespace,
    /// Runs ferrovs. Its interfaces are `outer`, with the VIP, and `inner`, with the DIP.
    pub director: Namespace,
    /// The switch `lan` between the director and the real servers. Its ports are `director` and
    /// `rs141`, `rs143` and so on.
    pub switch: Namespace,
    /// The real servers in the order of their numbers: .141, .143, ...
    pub servers: Vec<RealServer>,
    directory: Directory,
    options: Options,
}

/// A directory under `/run` that goes with the topology.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    owned: bool,
}

/// Hears how many machines are done; may ask to stop.
pub type Progress<'a> = &'a mut dyn FnMut(usize) -> ControlFlow<()>;

impl Topology {
    /// Builds all of it: cables, addresses and gateways. Web servers and the daemon come later.
    ///
    /// # Errors
    /// What the kernel refused; nothing is left behind then.
    pub fn build(options: Options) -> Result<Self> {
        let mut go_on = |_| ControlFlow::Continue(());
        let topology = Self::cable(options, &mut go_on)?;
        topology.assign_addresses(&mut go_on)?;
        topology.set_gateways(&mut go_on)?;
        Ok(topology)
    }

    /// The machines and their cables, all interfaces up, no addresses yet.
    ///
    /// # Errors
    /// What the kernel refused, or [`Error::Interrupted`]; nothing is left behind then.
    pub fn cable(options: Options, progress: Progress<'_>) -> Result<Self> {
        if !(1..=200).contains(&options.servers) {
            let message = format!(
                "{} real servers: between 1 and 200 are possible",
                options.servers
            );
            return Err(Error::Unexpected(message));
        }
        let directory = Directory::make(&options.id)?;
        let name = |machine: &str| options.id.namespace(machine);
        let client = Namespace::create(&name("client"))?;
        let director = Namespace::create(&name("director"))?;
        let switch = Namespace::create(&name("switch"))?;
        let for_xdp = options.hook == Hook::Xdp;
        plug(veth((&client, "eth0"), (&director, "outer"))?, for_xdp)?;
        switch.add_bridge("lan")?.up()?;
        let mut topology = Self {
            client,
            director,
            switch,
            servers: Vec::new(),
            directory,
            options,
        };
        topology.connect(veth(
            (&topology.switch, "director"),
            (&topology.director, "inner"),
        )?)?;
        for number in 0..topology.options.servers {
            check(progress(number))?;
            let address = server_address(number);
            let port = format!("rs{}", address.octets()[3]);
            let namespace = Namespace::create(&topology.options.id.namespace(&port))?;
            topology.connect(veth((&topology.switch, &port), (&namespace, "eth0"))?)?;
            topology.servers.push(RealServer::new(namespace, address));
        }
        Ok(topology)
    }

    /// Gives the client, the director and the real servers their addresses.
    ///
    /// # Errors
    /// What the kernel refused, or [`Error::Interrupted`].
    pub fn assign_addresses(&self, progress: Progress<'_>) -> Result<()> {
        self.client.link("eth0")?.add_address(CLIENT, PREFIX)?;
        self.director.link("outer")?.add_address(VIP, PREFIX)?;
        self.director.link("inner")?.add_address(DIP, PREFIX)?;
        for (number, server) in self.servers.iter().enumerate() {
            check(progress(number))?;
            server
                .namespace
                .link("eth0")?
                .add_address(server.address, PREFIX)?;
        }
        Ok(())
    }

    /// Sends what the real servers answer through the director.
    ///
    /// # Errors
    /// What the kernel refused, or [`Error::Interrupted`].
    pub fn set_gateways(&self, progress: Progress<'_>) -> Result<()> {
        for (number, server) in self.servers.iter().enumerate() {
            check(progress(number))?;
            server.namespace.add_default_gateway(DIP)?;
        }
        Ok(())
    }

    /// Starts a web server on port 80 of each real server, with a home page of its own, and waits
    /// until all answer.
    ///
    /// # Errors
    /// When one does not start or does not answer, or [`Error::Interrupted`].
    pub fn start_web_servers(&mut self, kind: &WebServers, progress: Progress<'_>) -> Result<()> {
        let lasting = self.options.id.is_kept();
        for (number, server) in self.servers.iter_mut().enumerate() {
            check(progress(number))?;
            server.start(kind, &self.directory.path, lasting)?;
        }
        self.servers
            .iter_mut()
            .try_for_each(RealServer::await_answer)
    }

    /// Starts the web server of one real server, the first having number 0, and waits until it
    /// answers; one that runs is [stopped](RealServer::stop) before.
    ///
    /// # Errors
    /// When it does not end, start or answer.
    ///
    /// # Panics
    /// When there is no such real server.
    pub fn start_web_server(&mut self, number: usize, kind: &WebServers) -> Result<()> {
        let lasting = self.options.id.is_kept();
        let server = &mut self.servers[number];
        server.stop()?;
        server.start(kind, &self.directory.path, lasting)?;
        server.await_answer()
    }

    /// Where the service is: the VIP, port 80.
    pub fn service(&self) -> SocketAddrV4 {
        SocketAddrV4::new(VIP, 80)
    }

    /// A directory for logs and captures; it goes with the topology.
    pub fn directory(&self) -> &Path {
        &self.directory.path
    }

    /// What was asked for.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Leaves everything standing, web servers too if they are programs of their own; see
    /// [`remove_leftovers`] for taking it away later.
    pub fn keep(mut self) {
        for server in &mut self.servers {
            server.let_go();
        }
        for namespace in self.namespaces() {
            namespace.keep();
        }
        self.directory.owned = false;
    }

    /// Takes everything away in the reverse order, whatever fails on the way.
    ///
    /// # Errors
    /// All that failed.
    pub fn remove(mut self) -> Result<()> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<()> {
        let mut errors = Vec::new();
        for server in self.servers.iter_mut().rev() {
            errors.extend(server.stop().err());
        }
        if self.director.is_owned() {
            errors.extend(self.unplug_director().err());
        }
        for namespace in self.namespaces().filter(|namespace| namespace.is_owned()) {
            errors.extend(namespace.take_down().err());
        }
        errors.extend(self.directory.remove().err());
        Error::collect(errors)
    }

    /// Removes the director's interfaces, and with them the programs attached there. The kernel
    /// would do so some time after the namespace has lost its name; nobody should have to wait.
    fn unplug_director(&self) -> Result<()> {
        self.director.end_processes()?;
        for interface in ["inner", "outer"] {
            match self.director.link(interface) {
                Ok(link) => link.remove()?,
                // Half a topology may not have it yet.
                Err(Error::NoInterface { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// All namespaces, the latest first.
    fn namespaces(&mut self) -> impl Iterator<Item = &mut Namespace> {
        let servers = self
            .servers
            .iter_mut()
            .rev()
            .map(|server| &mut server.namespace);
        servers.chain([&mut self.switch, &mut self.director, &mut self.client])
    }

    /// Plugs the switch's end of a cable into the switch. For XDP the director's port joins what it
    /// receives.
    fn connect(&self, cable: (Link<'_>, Link<'_>)) -> Result<()> {
        let bridge = self.switch.link("lan")?;
        cable.0.plug_into(bridge)?;
        plug(cable, self.options.hook == Hook::Xdp)
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if let Err(error) = self.take_down() {
            eprintln!("{error}");
        }
    }
}

/// Turns both ends of a cable on. The first end is the one away from the director.
fn plug((far, near): (Link<'_>, Link<'_>), for_xdp: bool) -> Result<()> {
    if for_xdp {
        for end in [far, near] {
            end.set_offload(Offload::TxChecksum, false)?;
        }
        far.set_offload(Offload::Receive, true)?;
    }
    far.up()?;
    near.up()
}

fn check(flow: ControlFlow<()>) -> Result<()> {
    if flow.is_break() {
        Err(Error::Interrupted)
    } else {
        Ok(())
    }
}

impl Directory {
    fn make(id: &Id) -> Result<Self> {
        let path = id.directory();
        fs::create_dir(&path).doing(|| format!("make the directory {}", path.display()))?;
        Ok(Self { path, owned: true })
    }

    fn remove(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.owned) {
            return Ok(());
        }
        fs::remove_dir_all(&self.path).doing(|| format!("remove {}", self.path.display()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("{error}");
        }
    }
}
