//! The real servers and what serves their pages.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::{
    error::{Doing, Error, Result},
    http::{self, fetch, server_of},
    namespace::Namespace,
    nginx,
    process::Service,
};

/// How long a web server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// A real server.
#[derive(Debug)]
pub struct RealServer {
    /// The machine. Its interface is `eth0`.
    pub namespace: Namespace,
    /// Its address.
    pub address: Ipv4Addr,
    web: Option<Web>,
}

/// What serves the pages.
#[derive(Clone, Debug)]
pub enum WebServers {
    /// The built-in server, in threads of this process.
    Threads,
    /// A program of its own per real server, with these arguments and then `ADDRESS:PORT`.
    Program(PathBuf, Vec<String>),
    /// nginx.
    Nginx,
}

#[derive(Debug)]
enum Web {
    Threads(#[expect(dead_code, reason = "held until it is dropped")] http::Server),
    Program(Service),
}

/// The address of a real server, the first having number 0: 192.168.2.141, .143 and on in odd
/// steps, then .142, .144 and on in even ones, then from .2 upwards; 0 to 250.
pub fn server_address(number: usize) -> Ipv4Addr {
    let odd = (141..=253).step_by(2);
    let even = (142..=254).step_by(2);
    let last = odd.chain(even).chain(2..=139).nth(number).unwrap_or(254);
    Ipv4Addr::new(192, 168, 2, last)
}

impl RealServer {
    pub(super) fn new(namespace: Namespace, address: Ipv4Addr) -> Self {
        Self {
            namespace,
            address,
            web: None,
        }
    }

    /// Where its pages are.
    pub fn web_address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, 80)
    }

    /// Starts its web server; logs and configuration go below `directory`.
    pub(super) fn start(
        &mut self,
        kind: &WebServers,
        directory: &Path,
        lasting: bool,
    ) -> Result<()> {
        let directory = directory.join(self.address.to_string());
        let command = |program: &Path| {
            if lasting {
                self.namespace.lasting_command(program)
            } else {
                self.namespace.command(program)
            }
        };
        let command = match kind {
            WebServers::Threads => {
                let server = http::Server::start(&self.namespace, self.web_address())?;
                self.web = Some(Web::Threads(server));
                return Ok(());
            }
            WebServers::Program(program, arguments) => {
                let mut command = command(program);
                command.args(arguments).arg(self.web_address().to_string());
                command
            }
            WebServers::Nginx => {
                let mut command = command(&nginx::program()?);
                nginx::prepare(&directory, self.address)?(&mut command);
                command
            }
        };
        fs::create_dir_all(&directory).doing(|| format!("make {}", directory.display()))?;
        let name = format!("the web server in {}", self.namespace.name());
        let service = Service::start(&name, command, &directory.join("log"))?;
        self.web = Some(Web::Program(service));
        Ok(())
    }

    /// Waits until the web server sends its own page.
    pub(super) fn await_answer(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let loaded = fetch(&self.namespace, self.web_address(), "/");
            let problem = match loaded {
                Ok(page) if server_of(&page.text()) == Some(self.address) => return Ok(()),
                Ok(page) => format!("sends the wrong page: {:?}", page.text()),
                Err(error) => error.to_string(),
            };
            if let Some(Web::Program(service)) = &mut self.web
                && let Some(status) = service.ended()?
            {
                return Err(service.failure(format!("ended at once ({status})")));
            }
            if begin.elapsed() > PATIENCE {
                return Err(match &self.web {
                    Some(Web::Program(service)) => service.failure(problem),
                    _ => Error::Unexpected(problem),
                });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends its web server.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        match self.web.take() {
            Some(Web::Program(mut service)) => service.stop().map(drop),
            Some(Web::Threads(_)) | None => Ok(()),
        }
    }

    /// Lets a web server that is a program go on by itself.
    pub(super) fn let_go(&mut self) {
        if let Some(Web::Program(service)) = self.web.take() {
            service.let_go();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::topology::DIP;

    #[test]
    fn addresses_begin_as_in_the_demonstration_and_do_not_repeat() {
        assert_eq!(server_address(0), Ipv4Addr::new(192, 168, 2, 141));
        assert_eq!(server_address(1), Ipv4Addr::new(192, 168, 2, 143));
        let all: BTreeSet<_> = (0..200).map(server_address).collect();
        assert_eq!(all.len(), 200);
        assert!(!all.contains(&DIP));
    }
}
