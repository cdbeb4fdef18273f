//! The director's state, and the one way to change it.

mod view;

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use ferrovs_api::Refused;
use ferrovs_kernel::{DataPlane, Outward, PoolAddress, Targets};
use ferrovs_model::{
    Change, Refusal, RefusedChange, ServiceKey, Snat, Unforwarded, Wanted,
    publish::{Ledger, Plan, Publisher},
};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::{
    document::Store, network::Network, options::Manner, plane::Live, rates::Meter, server::Shared,
};

/// How often the trash of removed servers is looked at, and rates are measured.
const LOOK: Duration = Duration::from_secs(1);

/// Of services and servers that are kept but not forwarded, so many at once are told in the log.
const TOLD: usize = 10;

/// Why a list of changes was not made.
pub(super) enum NotMade {
    /// One of them makes no sense.
    Refused(Refused),
    /// Something broke.
    Failed(String),
}

/// See the [module](self).
pub(super) struct Director {
    plane: Arc<DataPlane>,
    store: Arc<Store>,
    network: Network,
    manner: Manner,
    publisher: Publisher,
    wanted: Wanted,
    meter: Meter,
    down: bool,
}

impl Director {
    pub(super) fn new(
        plane: Arc<DataPlane>,
        store: Arc<Store>,
        network: Network,
        manner: Manner,
    ) -> Self {
        let document = store.document();
        Self {
            plane,
            store,
            network,
            manner,
            publisher: Publisher::new(document.ledger),
            wanted: document.wanted,
            meter: Meter::default(),
            down: false,
        }
    }

    /// Makes tables and network what the stored state says, whatever an earlier daemon left.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let plan = self.publisher.plan(&Live(&self.plane.maps), &self.wanted)?;
        let targets = self.targets(&self.wanted, &plan.ledger);
        self.network.prepare(targets.clone()).await?;
        self.publish(plan)?;
        tell(&self.wanted.unforwarded());
        self.network.settle(targets).await
    }

    /// The data plane.
    pub(super) fn plane(&self) -> Arc<DataPlane> {
        Arc::clone(&self.plane)
    }

    /// Makes all changes, or none.
    pub(super) async fn apply(&mut self, changes: &[Change]) -> Result<(), NotMade> {
        let mut wanted = self.wanted.clone();
        wanted.apply_all(changes).map_err(refused)?;
        self.make(wanted, changes).await
    }

    /// Makes those changes that can be made; gives the others.
    pub(super) async fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<Refused>, NotMade> {
        let mut all = Vec::new();
        // Runs of changes still to be made, the next one last.
        let whole = 0..changes.len();
        let mut runs = vec![whole];
        // Once the tables were full, nothing more is tried to be added before something is taken away:
        // to find out for each of thousands would take minutes.
        let mut full = false;
        while let Some(run) = runs.pop() {
            let mut wanted = self.wanted.clone();
            wanted.begin(&changes[run.clone()]);
            let mut refused = Vec::new();
            let mut still_full = full;
            for index in run.clone() {
                let change = &changes[index];
                still_full &= !change.takes_away();
                let made = if still_full && change.adds() {
                    Err(Refusal::TableFull)
                } else {
                    wanted.apply(change)
                };
                if let Err(refusal) = made {
                    refused.push(RefusedChange { index, refusal }.into());
                }
            }
            match self.make(wanted, &changes[run.clone()]).await {
                Ok(()) => {
                    all.append(&mut refused);
                    full = still_full;
                }
                // The tables have no room for all of them: as many as fit are made.
                Err(NotMade::Refused(_)) if run.len() > 1 => {
                    let middle = run.start + run.len() / 2;
                    runs.extend([middle..run.end, run.start..middle]);
                }
                Err(NotMade::Refused(Refused { refusal, .. })) => {
                    let index = run.start;
                    all.push(RefusedChange { index, refusal }.into());
                    full = true;
                }
                Err(failed) => return Err(failed),
            }
        }
        Ok(all)
    }

    /// Makes tables and network what `wanted` says, which is the present state after `changes`.
    async fn make(&mut self, wanted: Wanted, changes: &[Change]) -> Result<(), NotMade> {
        if self.down {
            return Err(NotMade::Failed("the daemon is being taken down".to_owned()));
        }
        let plan = self
            .publisher
            .plan(&Live(&self.plane.maps), &wanted)
            .map_err(|refusal| {
                let index = changes.len().saturating_sub(1);
                refused(RefusedChange { index, refusal })
            })?;
        let targets = self.targets(&wanted, &plan.ledger);
        // Hooks first: what cannot be hooked is not promised.
        self.network
            .prepare(targets.clone())
            .await
            .map_err(failed)?;
        let before = std::mem::replace(&mut self.wanted, wanted);
        if let Err(error) = self.publish(plan) {
            self.wanted = before;
            let old = self.targets(&self.wanted, self.publisher.ledger());
            self.settle(old).await;
            return Err(NotMade::Failed(error.to_string()));
        }
        if let Err(error) = self.zero(changes) {
            error!("counters are zero until the daemon ends, but that cannot be stored: {error:#}");
        }
        tell_new(&before, &self.wanted);
        self.settle(targets).await;
        Ok(())
    }

    /// Stores a plan, then writes it: a daemon that is killed in between leaves a ledger that knows
    /// every number in the tables.
    fn publish(&mut self, plan: Plan) -> anyhow::Result<()> {
        self.store.update(|document| {
            document.wanted = self.wanted.clone();
            document.ledger = plan.ledger.clone();
            document.manner = Some(self.manner.clone());
        })?;
        self.publisher.commit(&Live(&self.plane.maps), plan);
        Ok(())
    }

    fn zero(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        let mut zeroed = false;
        for change in changes {
            if let Change::Zero { service } = change {
                let live = Live(&self.plane.maps);
                self.publisher.zero(&live, service.as_ref());
                self.meter.zero(service.as_ref());
                zeroed = true;
            }
        }
        if zeroed {
            let ledger = self.publisher.ledger().clone();
            self.store.update(|document| document.ledger = ledger)?;
        }
        Ok(())
    }

    async fn settle(&self, targets: Targets) {
        if let Err(error) = self.network.settle(targets).await {
            warn!("{error:#}; it is tried again");
        }
    }

    /// What the network is to be made ready for. Removed services and servers need it as long as the
    /// ledger remembers them: their flows go on, and find their servers when these are added again.
    fn targets(&self, wanted: &Wanted, ledger: &Ledger) -> Targets {
        let virtuals = ledger.services().iter().filter_map(|service| {
            let (_, address) = service.key.endpoint()?;
            Some(address.ip())
        });
        let marks = ledger
            .services()
            .iter()
            .filter_map(|service| match service.key {
                ServiceKey::Mark { mark, ipv6 } => Some((mark, ipv6)),
                ServiceKey::Address { .. } => None,
            });
        let pooled = ledger.dests().iter().filter(|dest| dest.uses_pool());
        let dests = ledger.dests().iter();
        let dests = dests.map(|dest| (dest.number, dest.address.ip()));
        Targets {
            virtuals: virtuals.collect::<BTreeSet<_>>(),
            dests: dests.collect(),
            pooled: pooled.map(|dest| dest.address.ip()).collect(),
            pool: wanted.pool().iter().map(pool_address).collect(),
            outward: wanted.snat().map(way_out).unwrap_or_default(),
            marks: marks.collect(),
            named: self.manner.named.clone(),
            choice: self.manner.choice(),
            anchored: !wanted.is_empty() || !ledger.is_empty(),
        }
    }

    fn measure(&mut self) {
        let report = self.report();
        self.meter.tick(Instant::now(), &self.wanted, &report);
    }

    /// Forgets removed servers whose time in the trash is over, and unhooks what only they needed.
    async fn forget_idle(&mut self) {
        if self.down || !self.publisher.observe(&Live(&self.plane.maps)) {
            return;
        }
        let plan = self.publisher.plan(&Live(&self.plane.maps), &self.wanted);
        let done = plan
            .map_err(anyhow::Error::from)
            .and_then(|plan| self.publish(plan));
        match done {
            Ok(()) => {
                let targets = self.targets(&self.wanted, self.publisher.ledger());
                self.settle(targets).await;
            }
            Err(error) => error!("cannot forget removed servers: {error:#}"),
        }
    }

    /// Whether nothing would be lost if everything were taken away.
    pub(super) fn is_idle(&self) -> bool {
        self.wanted.is_empty() && self.flows() == 0
    }

    /// Takes programs and tables away. No change is made after this.
    pub(super) async fn take_down(&mut self) -> anyhow::Result<()> {
        self.down = true;
        self.network.down().await
    }
}

/// Looks at the trash and measures rates for ever.
pub(super) async fn look(director: Shared) {
    let mut seconds = tokio::time::interval(LOOK);
    // A machine too busy for a look each second has no time to make up for those that were missed.
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        seconds.tick().await;
        let mut director = director.lock().await;
        director.measure();
        director.forget_idle().await;
    }
}

/// Tells what of a state is not forwarded that was, or was not there.
fn tell_new(before: &Wanted, wanted: &Wanted) {
    let known: HashSet<Unforwarded> = before.unforwarded().into_iter().collect();
    let mut found = wanted.unforwarded();
    found.retain(|one| !known.contains(one));
    tell(&found);
}

fn tell(found: &[Unforwarded]) {
    for one in found.iter().take(TOLD) {
        warn!("{one}");
    }
    if found.len() > TOLD {
        let more = found.len() - TOLD;
        warn!("{more} more are kept but not forwarded: see `ferrovs status`");
    }
}

/// An address of the pool as the network is told of it.
fn pool_address(one: &ferrovs_model::PoolAddress) -> PoolAddress {
    PoolAddress {
        address: one.address,
        ports: one.ports,
    }
}

fn way_out(snat: &Snat) -> Outward {
    let from = snat.from.iter();
    Outward {
        from: from.map(|one| (one.address, one.prefix)).collect(),
        to: snat.to.iter().map(pool_address).collect(),
    }
}

fn refused(refused: RefusedChange) -> NotMade {
    NotMade::Refused(refused.into())
}

fn failed(error: anyhow::Error) -> NotMade {
    NotMade::Failed(format!("{error:#}"))
}
