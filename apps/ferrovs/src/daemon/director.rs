//! The director's state, and the one way to change it.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ferrovs_api::{
    Counters, DestinationView, EventView, HookView, Refused, ServiceView, Services, Status,
};
use ferrovs_core::abi::{bucket, reason::Reason};
use ferrovs_kernel::{DataPlane, Targets};
use ferrovs_model::{
    Change, RefusedChange, ServiceKey, Wanted,
    publish::{Figures, Ledger, Plan, Plane, Publisher},
};
use tracing::{error, warn};

use super::{document::Store, network::Network, options::Manner, plane::Live, server::Shared};

/// How often the trash of removed servers is looked at.
const TRASH: Duration = Duration::from_secs(1);

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
            down: false,
        }
    }

    /// Makes tables and network what the stored state says, whatever an earlier daemon left.
    pub(super) async fn start(&mut self) -> anyhow::Result<()> {
        let plan = self.publisher.plan(&Live(&self.plane.maps), &self.wanted)?;
        let targets = self.targets(&self.wanted, &plan.ledger);
        self.network.prepare(targets.clone()).await?;
        self.publish(plan)?;
        self.network.settle(targets).await
    }

    /// The data plane.
    pub(super) fn plane(&self) -> Arc<DataPlane> {
        Arc::clone(&self.plane)
    }

    /// Makes all changes, or none.
    pub(super) async fn apply(&mut self, changes: &[Change]) -> Result<(), NotMade> {
        if self.down {
            return Err(NotMade::Failed("the daemon is being taken down".to_owned()));
        }
        let mut wanted = self.wanted.clone();
        wanted.apply_all(changes).map_err(refused)?;
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
        self.zero(changes).map_err(failed)?;
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
            let ServiceKey::Address { address, .. } = service.key;
            ipv4(address)
        });
        let dests = ledger.dests().iter();
        let dests = dests.filter_map(|dest| Some((dest.number, ipv4(dest.address)?)));
        Targets {
            virtuals: virtuals.collect::<BTreeSet<_>>(),
            dests: dests.collect(),
            named: self.manner.named.clone(),
            choice: self.manner.choice(),
            anchored: *wanted != Wanted::default() || *ledger != Ledger::default(),
        }
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

    /// All services with their figures.
    pub(super) fn services(&self) -> Services {
        let reports = self.publisher.report(&Live(&self.plane.maps), &self.wanted);
        let services = self.wanted.services().iter().zip(reports);
        let services = services.map(|(service, report)| ServiceView {
            key: service.key,
            settings: service.settings.clone(),
            counters: counters(report.figures),
            destinations: service
                .destinations
                .iter()
                .zip(report.dests)
                .map(|(&destination, report)| DestinationView {
                    destination,
                    counters: counters(report.figures),
                    active: report.active,
                    inactive: report.inactive,
                })
                .collect(),
        });
        Services {
            services: services.collect(),
            timeouts: self.wanted.timeouts(),
        }
    }

    /// How the director is.
    pub(super) fn status(&self) -> Status {
        let services = self.wanted.services();
        let hooks = self.network.hooks().into_iter().map(|hook| HookView {
            interface: hook.hooking.name.clone(),
            hook: hook.name().to_owned(),
            reason: hook.hooking.reason,
        });
        let buckets = u64::from(self.plane.maps.flow_lines() / bucket::LINES);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            autostarted: self.manner.autostarted,
            hooks: hooks.collect(),
            services: services.len() as u32,
            destinations: services.iter().map(|s| s.destinations.len() as u32).sum(),
            flows: self.flows(),
            flow_limit: buckets * u64::from(bucket::WAYS),
            events: self.events(),
        }
    }

    fn events(&self) -> Vec<EventView> {
        let reasons = self.plane.maps.reasons().into_iter();
        let happened = reasons.filter(|&(_, count)| count > 0);
        let event = |(reason, count): (Reason, u64)| EventView {
            reason: reason.name().to_owned(),
            count,
        };
        happened.map(event).collect()
    }

    /// How many flows there are.
    fn flows(&self) -> u64 {
        let live = Live(&self.plane.maps);
        let of_dest = |number| {
            let counts = live.counts(number);
            u64::from(counts.active()) + u64::from(counts.inactive())
        };
        let dests = self.publisher.ledger().dests().iter();
        dests.map(|dest| of_dest(dest.number)).sum()
    }

    /// Whether nothing would be lost if everything were taken away.
    pub(super) fn is_idle(&self) -> bool {
        self.wanted == Wanted::default() && self.flows() == 0
    }

    /// Takes programs and tables away. No change is made after this.
    pub(super) async fn take_down(&mut self) -> anyhow::Result<()> {
        self.down = true;
        self.network.down().await
    }
}

/// Looks at the trash for ever.
pub(super) async fn forget_idle(director: Shared) {
    loop {
        tokio::time::sleep(TRASH).await;
        director.lock().await.forget_idle().await;
    }
}

fn refused(refused: RefusedChange) -> NotMade {
    NotMade::Refused(refused.into())
}

fn failed(error: anyhow::Error) -> NotMade {
    NotMade::Failed(format!("{error:#}"))
}

fn ipv4(address: SocketAddr) -> Option<std::net::Ipv4Addr> {
    match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn counters(figures: Figures) -> Counters {
    Counters {
        conns: figures.conns,
        in_packets: figures.in_packets,
        out_packets: figures.out_packets,
        in_bytes: figures.in_bytes,
        out_bytes: figures.out_bytes,
    }
}
