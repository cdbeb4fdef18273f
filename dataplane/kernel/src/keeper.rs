//! The keeper: watches the network, and keeps hooks, interfaces and next hops right.
//!
//! It lives on a thread of its own. [`Keeper::prepare`] attaches what a change will need before the
//! change is made, [`Keeper::settle`] makes the network's side of it once it is made, and
//! [`Keeper::work`] follows the kernel's notifications in between. Every round of work ends with the
//! heartbeat: as long as it beats, programs trust the next hops.

mod asking;
mod telling;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::{Duration, Instant},
};

use ferrovs_core::abi::interface::{ETHERNET, pack_mac};
use netlink_packet_route::RouteNetlinkMessage;
use tracing::{debug, info, warn};

use crate::{
    DataPlane, Error, Hook, Result, Targets,
    choice::choose,
    hooks::{Reconciled, reconcile, report},
    interfaces::write_interfaces,
    mark_way::{self, RECEIVER},
    net::{Features, Place, Query, Snapshot, Watch, Way, xdp_features},
    next_hops::NextHops,
    pool::Pool,
    take_down::release_neighbours,
    tuning::{self, Tuning},
};

/// How often everything is asked anew, in case a notification was missed.
const RESYNC: Duration = Duration::from_secs(3);
/// After it has followed a change of the network it rests so many times as long as that took: with very
/// many neighbours there is always a change, and following them must not take a whole CPU.
const REST: u32 = 4;

/// What to say when the routing table cannot be asked.
const NO_ANSWER: &str = "cannot ask for the route to a server";

/// What to say when the way of marked packets cannot be made.
const NO_WAY_FOR_MARKS: &str = "cannot lead marked packets to the tc program";

/// What the sweeper met in one round.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// The round's number.
    pub round: u64,
    /// Numbers of next hops that flows refer to.
    pub next_hops: BTreeSet<u32>,
}

/// Stores what interfaces were set to before the keeper changes them.
pub type Remember = Box<dyn FnMut(&Tuning) -> Result<()> + Send>;

/// Watches the network, and keeps hooks, interfaces and next hops right.
pub struct Keeper {
    plane: Arc<DataPlane>,
    query: Query,
    watch: Watch,
    network: Snapshot,
    features: BTreeMap<u32, Features>,
    /// What was settled last; nothing is done before the first time.
    targets: Option<Targets>,
    /// What is known about ways, also to what is not settled yet.
    known_ways: ways::Ways,
    places: BTreeMap<IpAddr, Place>,
    /// The ways to servers elsewhere, each once: servers behind one router have one way.
    towards_servers: BTreeSet<Way>,
    /// The ways up to the director itself.
    upwards: BTreeSet<Way>,
    hops: NextHops,
    pool: Pool,
    hooks: Vec<Hook>,
    tuning: Tuning,
    remember: Remember,
    announced: bool,
    ended: bool,
    /// Whether there may be a way of marked packets: an earlier daemon may have left one.
    may_lead_marks: bool,
    homeless: Vec<IpAddr>,
    pathless: Vec<IpAddr>,
    deaf: BTreeSet<u32>,
    /// Interfaces that could not be hooked, and why.
    unhooked: BTreeMap<u32, String>,
    missing: Vec<String>,
    /// Whether the kernel's side may be otherwise than the network and the targets ask for.
    dirty: bool,
    /// When everything was asked last; `None` when notifications were missed since.
    synced: Option<Instant>,
    /// Before this the network's changes may wait.
    rest: Instant,
    asking: asking::Asking,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("targets", &self.targets)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

impl Keeper {
    /// A keeper for the network namespace of the calling thread. `tuning` is what an earlier daemon
    /// changed about interfaces; `remember` is called before more is changed.
    ///
    /// # Errors
    /// When the network cannot be seen.
    pub fn new(plane: Arc<DataPlane>, tuning: Tuning, remember: Remember) -> Result<Self> {
        let problem = "cannot see the network";
        let watch = Watch::new().map_err(Error::system(problem))?;
        let mut query = Query::new().map_err(Error::system(problem))?;
        let network = Snapshot::take(&mut query).map_err(Error::system(problem))?;
        let hops =
            NextHops::recover(&plane.maps).map_err(Error::system("cannot read next hops"))?;
        Ok(Self {
            plane,
            query,
            watch,
            network,
            features: features(),
            targets: None,
            known_ways: ways::Ways::default(),
            places: BTreeMap::new(),
            towards_servers: BTreeSet::new(),
            upwards: BTreeSet::new(),
            hops,
            pool: Pool::default(),
            hooks: Vec::new(),
            tuning,
            remember,
            announced: false,
            ended: false,
            may_lead_marks: true,
            homeless: Vec::new(),
            pathless: Vec::new(),
            deaf: BTreeSet::new(),
            unhooked: BTreeMap::new(),
            missing: Vec::new(),
            dirty: true,
            synced: Some(Instant::now()),
            rest: Instant::now(),
            asking: asking::Asking::default(),
        })
    }

    /// Says in the log where programs sit. Before this, changes of it are not told there.
    pub fn announce(&mut self) {
        let hooks: Vec<_> = self
            .hooks
            .iter()
            .filter(|hook| !hook.hooking.anchor)
            .map(|hook| format!("{} ({})", hook.hooking.name, hook.name()))
            .collect();
        let hooked = if hooks.is_empty() {
            "nothing is hooked yet: interfaces are when a service needs them".to_owned()
        } else {
            format!("hooked: {}", hooks.join(", "))
        };
        info!(
            "{hooked}. What ferrovs forwards passes neither the firewall (netfilter) nor the kernel's \
             forwarding: their rules, counters and ip_forward do not apply to it"
        );
        report(&[], &self.hooks);
        self.announced = true;
    }

    /// Becomes readable when the network has changed.
    #[must_use]
    pub fn changed(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// Where programs sit now.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// Makes sure that these interfaces are there. One that is named in [`Targets`] and has gone is only
    /// told in the log.
    ///
    /// # Errors
    /// [`Error::NoInterface`] for the first that is not.
    pub fn require(&self, names: &[String]) -> Result<()> {
        match self.missing(names).next() {
            Some(name) => Err(Error::NoInterface(name.clone())),
            None => Ok(()),
        }
    }

    /// Attaches what `targets` will need, and takes nothing away before [`Keeper::settle`].
    ///
    /// # Errors
    /// [`Error::Attach`]: then everything is as it was.
    pub fn prepare(&mut self, targets: &Targets) -> Result<()> {
        self.take_changes()?;
        if !self.dirty && self.targets.as_ref() == Some(targets) {
            return Ok(());
        }
        let mut both = targets.clone();
        if let Some(settled) = &self.targets {
            both.virtuals.extend(&settled.virtuals);
            both.dests.extend(&settled.dests);
            both.marks.extend(&settled.marks);
            both.pooled.extend(&settled.pooled);
            both.anchored |= settled.anchored;
        }
        self.lead_marks(&both)
            .map_err(Error::system(NO_WAY_FOR_MARKS))?;
        let places = self.find_places(&both)?;
        // What could not be hooked before does not keep other things from being changed.
        let known: BTreeSet<u32> = self.unhooked.keys().copied().collect();
        self.hook(&both, &places, |interface| known.contains(&interface))?;
        if self.targets.is_some() {
            // What was prepared stays so until it is settled, whatever changes in between.
            self.targets = Some(both);
            self.dirty = true;
        }
        Ok(())
    }

    /// Makes hooks, interfaces and next hops what `targets` says, now that the tables say so too.
    ///
    /// # Errors
    /// What the kernel does not accept. The keeper tries again with its next round.
    pub fn settle(&mut self, targets: Targets) -> Result<()> {
        if !self.dirty && self.targets.as_ref() == Some(&targets) {
            // A server may have come back to its line, which then says no way.
            self.lead(&targets);
            return Ok(());
        }
        self.targets = Some(targets);
        self.dirty = true;
        self.refresh()
    }

    /// One round: takes in what has changed, asks after neighbours, and beats the heart. To be called
    /// at least every 500 ms. Before anything was settled it only listens: what an earlier daemon left
    /// stays as it is.
    ///
    /// # Errors
    /// What the kernel does not accept. The heart does not beat then, and packets take the slow way.
    /// The next round tries again.
    pub fn work(&mut self) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        self.take_changes()?;
        if self.targets.is_none() {
            return Ok(());
        }
        if self.synced.is_none_or(|synced| synced.elapsed() >= RESYNC) {
            self.resync()?;
        }
        if self.dirty && self.rest <= Instant::now() {
            let begin = Instant::now();
            self.refresh()?;
            self.rest = Instant::now() + begin.elapsed() * REST;
        }
        self.ask_after_neighbours();
        self.plane.maps.beat();
        Ok(())
    }

    /// Takes note of a round of the sweeper.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub fn end_of_round(&mut self, watched: Watched) -> Result<()> {
        if self.targets.is_none() {
            return Ok(());
        }
        let Watched { round, next_hops } = watched;
        let ways = self.ways();
        self.hops
            .end_of_round(&self.plane.maps, &self.network, &ways, round, next_hops)
            .map_err(Error::system("cannot take back next hops"))
    }

    /// Ends its work: takes away all programs, has the kernel keep neighbours as it pleases again, and restores what
    /// was changed about interfaces.
    ///
    /// # Errors
    /// When a program stays.
    pub fn down(&mut self) -> Result<()> {
        self.ended = true;
        self.hooks.clear();
        release_neighbours(&self.plane.maps, &mut self.query);
        if let Err(error) = mark_way::remove(&mut self.query) {
            warn!("{NO_WAY_FOR_MARKS} any more: {error}");
        }
        tuning::restore(&self.tuning);
        crate::hooks::detach_all().map(drop)
    }

    /// Takes in the kernel's notifications since the last call.
    fn take_changes(&mut self) -> Result<()> {
        let changes = self.watch.changes();
        let changes = changes.map_err(Error::system("cannot hear of changes of the network"))?;
        let Some(changes) = changes else {
            debug!("more changes of the network than could be kept: asking anew");
            self.synced = None;
            self.known_ways.forget();
            self.dirty = true;
            return self.resync();
        };
        for change in changes {
            self.dirty |= match change {
                RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
                    self.known_ways.forget_by(&route);
                    true
                }
                RouteNetlinkMessage::NewRule(_) | RouteNetlinkMessage::DelRule(_) => {
                    self.known_ways.forget();
                    true
                }
                neighbour @ (RouteNetlinkMessage::NewNeighbour(_)
                | RouteNetlinkMessage::DelNeighbour(_)) => self.network.note(neighbour),
                // Of routes that go with a link, nothing is told.
                other => {
                    let changed = self.network.note(other);
                    if changed {
                        self.known_ways.forget();
                    }
                    changed
                }
            };
        }
        Ok(())
    }

    /// Asks for everything, and notes whether it is otherwise than thought.
    fn resync(&mut self) -> Result<()> {
        let network = Snapshot::take(&mut self.query);
        let network = network.map_err(Error::system("cannot see the network"))?;
        let features = features();
        let otherwise = self.known_ways.doubt(&mut self.query);
        let otherwise = otherwise.map_err(Error::system(NO_ANSWER))?;
        if network.links != self.network.links || network.addresses != self.network.addresses {
            self.known_ways.forget();
        }
        self.dirty |= network != self.network
            || features != self.features
            || otherwise
            || !self.unhooked.is_empty();
        self.network = network;
        self.features = features;
        self.synced = Some(Instant::now());
        Ok(())
    }

    fn refresh(&mut self) -> Result<()> {
        let Some(targets) = self.targets.clone() else {
            return Ok(());
        };
        if let Err(error) = self.lead_marks(&targets) {
            warn!("{NO_WAY_FOR_MARKS}: {error}; it is tried again");
        }
        let places = self.find_places(&targets)?;
        self.known_ways.keep(&targets);
        self.towards_servers = places.values().filter_map(|place| place.way()).collect();
        self.upwards = self.ways_up(&targets, &places);
        self.places.clone_from(&places);
        let maps = &self.plane.maps;
        let named = &targets.pool;
        let outward = &targets.outward;
        self.pool
            .update(maps, &self.network, named, outward, places.iter());
        // First, so that they are right for what is hooked already, whatever becomes of the hooks.
        let before: BTreeSet<u32> = self.watched().collect();
        self.write_next_hops(&targets)?;
        self.hook(&targets, &places, |_| true)?;
        self.write_interfaces();
        if !self.watched().all(|interface| before.contains(&interface)) {
            // Again, for the clients behind what is hooked now.
            self.upwards = self.ways_up(&targets, &places);
            self.write_next_hops(&targets)?;
        }
        self.tune()?;
        self.tell_missing(&targets);
        self.tell_homeless(&targets);
        self.tell_pathless(&targets);
        self.dirty = false;
        Ok(())
    }

    /// Leads packets with these marks to the tc program.
    fn lead_marks(&mut self, targets: &Targets) -> std::io::Result<()> {
        if targets.marks.is_empty() && !self.may_lead_marks {
            return Ok(());
        }
        self.may_lead_marks = true;
        mark_way::ensure(&mut self.query, &targets.marks)?;
        self.may_lead_marks = !targets.marks.is_empty();
        let has_end = self.network.link_named(RECEIVER).is_some();
        if has_end != self.may_lead_marks {
            self.network = Snapshot::take(&mut self.query)?;
        }
        Ok(())
    }

    fn find_places(&mut self, targets: &Targets) -> Result<BTreeMap<IpAddr, Place>> {
        let places = self.known_ways.find(&mut self.query, targets);
        places.map_err(Error::system(NO_ANSWER))
    }

    /// Hooks what is to be hooked. What cannot be, on an interface that `may_fail`, is told in the log
    /// and tried again.
    fn hook(
        &mut self,
        targets: &Targets,
        places: &BTreeMap<IpAddr, Place>,
        may_fail: impl Fn(u32) -> bool,
    ) -> Result<()> {
        let runs = |link: &crate::Link| {
            let features = self.features.get(&link.index).copied();
            features.unwrap_or_default().runs_programs()
        };
        let ways = places.iter();
        let ways = ways.filter_map(|(address, place)| Some((*address, place.way()?)));
        let wanted = choose(&self.network, targets, &ways.collect(), runs);
        let programs = &self.plane.programs;
        let Reconciled { hooks, failures } =
            reconcile(&mut self.query, programs, &wanted, may_fail)?;
        if self.announced {
            report(&self.hooks, &hooks);
        }
        self.hooks = hooks;
        for (interface, failure) in &failures {
            if self.unhooked.get(interface) != Some(failure) {
                warn!("{failure}; it is tried again");
            }
        }
        self.unhooked = failures;
        Ok(())
    }

    /// Interfaces whose packets are looked at.
    fn watched(&self) -> impl Iterator<Item = u32> {
        let hookings = self.hooks.iter().map(|hook| &hook.hooking);
        hookings.filter(|h| !h.anchor).map(|h| h.interface)
    }

    fn write_interfaces(&self) {
        let wanted: BTreeMap<u32, (u64, u64)> = self
            .watched()
            .map(|index| {
                let mac = self.network.links.get(&index).and_then(|link| link.mac);
                let ethernet = if mac.is_some() { ETHERNET } else { 0 };
                let address = mac.map_or(0, pack_mac);
                (index, (u64::from(index) | ethernet, address))
            })
            .collect();
        write_interfaces(&self.plane.maps, wanted);
    }

    fn write_next_hops(&mut self, targets: &Targets) -> Result<()> {
        let ways = &self.towards_servers;
        let hooked: BTreeSet<u32> = self.watched().collect();
        let native = self.hooks.iter().any(|hook| hook.name() == "xdp");
        let features = &self.features;
        // An skb can be sent by every interface, an XDP frame only by those whose driver can.
        let transmits = |interface: u32| {
            !native
                || features
                    .get(&interface)
                    .is_some_and(|features| features.transmits())
        };
        if native {
            self.deaf.retain(|&interface| !transmits(interface));
            for way in ways {
                if !transmits(way.interface) && self.deaf.insert(way.interface) {
                    let link = self.network.links.get(&way.interface);
                    warn!(
                        interface = link.map(|link| link.name.as_str()),
                        "this interface does not send what XDP redirects to it, so packets to it take \
                         the slow way through tc; a veth does if its other end has generic receive \
                         offload (ethtool -K PEER gro on)"
                    );
                }
            }
        }
        let maps = &self.plane.maps;
        let all = self.ways();
        self.hops
            .update(maps, &self.network, &all, &hooked, transmits)
            .map_err(Error::system("cannot write next hops"))?;
        self.lead(targets);
        Ok(())
    }

    /// Leads each destination to its next hop, or up.
    fn lead(&self, targets: &Targets) {
        let maps = &self.plane.maps;
        let place = |&(number, address)| {
            let place = self.places.get(&address).copied();
            let place = place.unwrap_or(Place::Nowhere);
            // First, because a packet that finds its way needs it.
            self.pool
                .offer(maps, &self.network, (number, address), place);
            (number, address, place)
        };
        let dests = targets.dests.iter().map(place);
        self.hops.lead(maps, self.inner(), dests);
        self.pool.offer_way_out(maps, &targets.outward);
    }

    /// The ways up to the servers on the director whose clients are known by its addresses, and, where it may be a
    /// client itself, to its virtual addresses.
    fn ways_up(&self, targets: &Targets, places: &BTreeMap<IpAddr, Place>) -> BTreeSet<Way> {
        let interface = self.inner();
        let is_here = |address: &&IpAddr| places.get(address) == Some(&Place::Here);
        let servers = targets.pooled.iter().filter(is_here).copied();
        let is_watched = self.watched().any(|watched| watched == interface);
        let own = self.network.addresses.iter().map(|own| own.address);
        let own = own.filter(|own| is_watched && targets.virtuals.contains(own));
        let way = |neighbour| Way {
            interface,
            neighbour,
        };
        servers.chain(own).map(way).collect()
    }

    /// All ways that have next hops, whoever uses them.
    fn ways(&self) -> BTreeSet<Way> {
        self.towards_servers.union(&self.upwards).copied().collect()
    }

    /// The index of the loopback interface, by which packets go up to the director itself.
    fn inner(&self) -> u32 {
        let mut links = self.network.links.values();
        links
            .find(|link| link.loopback)
            .map_or(0, |link| link.index)
    }

    /// Tunes the interfaces towards servers, after what they were set to has been remembered.
    fn tune(&mut self) -> Result<()> {
        let ways = self.towards_servers.iter();
        let families: BTreeSet<(u32, &str)> = ways
            .map(|way| (way.interface, tuning::family_of(way.neighbour)))
            .collect();
        let wanted = families.iter().filter_map(|&(interface, family)| {
            let link = self.network.links.get(&interface)?;
            link.mac.is_some().then_some((link.name.as_str(), family))
        });
        let inner = self.inner();
        let inner = self.watched().find(|&watched| watched == inner);
        let inner = inner.and_then(|index| self.network.links.get(&index));
        let wanted = wanted.chain(inner.map(|link| (link.name.as_str(), tuning::INNER)));
        let new: Vec<_> = wanted
            .filter(|&one| !tuning::is_known(&self.tuning, one))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut tuning = self.tuning.clone();
        for &one in &new {
            tuning::remember(&mut tuning, one)
                .map_err(Error::system("cannot read how neighbours are kept"))?;
        }
        (self.remember)(&tuning)?;
        for one in new {
            tuning::apply(one);
        }
        self.tuning = tuning;
        Ok(())
    }
}

/// No features known means that none is relied on.
fn features() -> BTreeMap<u32, Features> {
    xdp_features().unwrap_or_else(|error| {
        debug!(%error, "cannot ask what drivers can do with XDP");
        BTreeMap::new()
    })
}
