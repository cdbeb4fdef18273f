//! Commands (`ip_vs_ctl.c`).

use std::net::SocketAddr;

use super::{Dest, Ipvs, Key, SECOND, Server, Service, Settings, Stats, dest::Place, sched};

/// Why the kernel refuses a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// There is such a service (`EEXIST`).
    ServiceExists,
    /// There is no such service (`ESRCH`).
    NoSuchService,
    /// The service has such a server (`EEXIST`).
    DestinationExists,
    /// The service has no such server (`ENOENT`).
    NoSuchDestination,
    /// The lower threshold is above the upper one (`ERANGE`).
    OutOfRange,
}

impl Ipvs {
    /// Adds a service without servers (`ip_vs_add_service`).
    ///
    /// # Errors
    /// When there is one with this key.
    pub fn add_service(&mut self, key: Key, settings: Settings) -> Result<(), Refusal> {
        if self.service(&key).is_some() {
            return Err(Refusal::ServiceExists);
        }
        self.services_ever += 1;
        self.services.push(Service {
            key,
            settings,
            stats: Stats::default(),
            number: self.services_ever,
            list: Vec::new(),
            schedule: sched::new(settings.scheduler, &[], self.now),
        });
        Ok(())
    }

    /// Sets all that a service is set to (`ip_vs_edit_service`). Another scheduler begins anew.
    ///
    /// # Errors
    /// When there is no such service.
    pub fn edit_service(&mut self, key: &Key, settings: Settings) -> Result<(), Refusal> {
        let at = self.place_of(key)?;
        let listed = listed(&self.dests, &self.services[at].list);
        let service = &mut self.services[at];
        if service.settings.scheduler != settings.scheduler {
            service.schedule = sched::new(settings.scheduler, &listed, self.now);
        }
        service.settings = settings;
        Ok(())
    }

    /// Takes away a service and its servers (`ip_vs_del_service`).
    ///
    /// # Errors
    /// When there is no such service.
    pub fn delete_service(&mut self, key: &Key) -> Result<(), Refusal> {
        let at = self.place_of(key)?;
        let service = self.services.remove(at);
        for dest in service.list {
            self.throw_away(dest);
        }
        Ok(())
    }

    /// Takes away all services (`ip_vs_flush`).
    pub fn clear(&mut self) {
        while let Some(service) = self.services.first() {
            let key = service.key;
            let deleted = self.delete_service(&key);
            debug_assert_eq!(deleted, Ok(()));
        }
    }

    /// Adds a server at the head of a service's list (`ip_vs_add_dest`). One that is still in the trash
    /// comes back with its connections, and with its counters if the service is the same.
    ///
    /// # Errors
    /// When there is no such service, when it has the server already, or when the thresholds make no
    /// sense.
    pub fn add_server(&mut self, key: &Key, server: Server) -> Result<(), Refusal> {
        let at = self.place_of(key)?;
        check(&server)?;
        if self.listed_at(at, &server).is_some() {
            return Err(Refusal::DestinationExists);
        }
        let service = self.services[at].number;
        let in_trash = self.dests.iter().position(|dest| {
            dest.is_in_trash() && dest.key == *key && dest.server.address == server.address
        });
        let number = in_trash.unwrap_or(self.dests.len());
        if in_trash.is_none() {
            self.dests.push(Dest {
                server,
                last_weight: 0,
                overloaded: false,
                active: 0,
                inactive: 0,
                persistent: 0,
                stats: Stats::default(),
                number,
                key: *key,
                service,
                place: Place::Listed,
            });
        }
        let dest = &mut self.dests[number];
        if dest.service != service {
            dest.stats = Stats::default();
            dest.service = service;
        }
        dest.place = Place::Listed;
        dest.server = server;
        dest.last_weight = server.weight;
        dest.update_overload();
        self.services[at].list.insert(0, number);
        self.list_changed(at);
        Ok(())
    }

    /// Sets all that a server is set to (`ip_vs_edit_dest`); it keeps its place.
    ///
    /// # Errors
    /// When there is no such service, when it has no such server, or when the thresholds make no sense.
    pub fn edit_server(&mut self, key: &Key, server: Server) -> Result<(), Refusal> {
        let at = self.place_of(key)?;
        check(&server)?;
        let number = self.listed_at(at, &server);
        let dest = &mut self.dests[number.ok_or(Refusal::NoSuchDestination)?];
        if server.weight != 0 {
            dest.last_weight = server.weight;
        }
        dest.server = server;
        dest.update_overload();
        self.list_changed(at);
        Ok(())
    }

    /// Takes a server out of its service's list (`ip_vs_del_dest`). Its connections stay.
    ///
    /// # Errors
    /// When there is no such service, or when it has no such server.
    pub fn delete_server(&mut self, key: &Key, address: SocketAddr) -> Result<(), Refusal> {
        let at = self.place_of(key)?;
        let number = self.listed_at(at, &Server::masq(address, 0));
        let number = number.ok_or(Refusal::NoSuchDestination)?;
        let service = &mut self.services[at];
        let place = service.list.iter().position(|dest| *dest == number);
        let place = place.expect("a listed server");
        service.list.remove(place);
        let before = place.checked_sub(1).map(|place| service.list[place]);
        service.schedule.removed(number, before);
        self.throw_away(number);
        self.list_changed(at);
        Ok(())
    }

    /// Sets the counters of a service and its servers to zero, or all of them and the totals
    /// (`ip_vs_zero_service`, `ip_vs_zero_all`).
    ///
    /// # Errors
    /// When there is no such service.
    pub fn zero(&mut self, key: Option<&Key>) -> Result<(), Refusal> {
        let places = match key {
            Some(key) => vec![self.place_of(key)?],
            None => (0..self.services.len()).collect(),
        };
        for at in places {
            let service = &mut self.services[at];
            service.stats = Stats::default();
            for &dest in &service.list {
                self.dests[dest].stats = Stats::default();
            }
        }
        if key.is_none() {
            self.total = Stats::default();
        }
        Ok(())
    }

    /// Sets timeouts, in seconds; 0 leaves one as it is (`ip_vs_set_timeout`).
    pub fn set_timeouts(&mut self, established: u64, fin_wait: u64, udp: u64) {
        let timeouts = &mut self.timeouts;
        for (timeout, seconds) in [
            (&mut timeouts.established, established),
            (&mut timeouts.fin_wait, fin_wait),
            (&mut timeouts.udp, udp),
        ] {
            if seconds != 0 {
                *timeout = seconds * SECOND;
            }
        }
    }

    fn place_of(&self, key: &Key) -> Result<usize, Refusal> {
        let place = self.services.iter().position(|service| service.key == *key);
        place.ok_or(Refusal::NoSuchService)
    }

    /// The number of a service's server by its address.
    fn listed_at(&self, service: usize, server: &Server) -> Option<usize> {
        let list = &self.services[service].list;
        let mut numbers = list.iter().copied();
        numbers.find(|number| self.dests[*number].server.address == server.address)
    }

    fn list_changed(&mut self, service: usize) {
        let listed = listed(&self.dests, &self.services[service].list);
        self.services[service].schedule.changed(&listed);
    }
}

/// The servers with these numbers.
fn listed<'a>(dests: &'a [Dest], list: &[usize]) -> Vec<&'a Dest> {
    list.iter().map(|&number| &dests[number]).collect()
}

const fn check(server: &Server) -> Result<(), Refusal> {
    if server.lower > server.upper {
        Err(Refusal::OutOfRange)
    } else {
        Ok(())
    }
}
