//! How fast things go by: the estimates of IPVS, for listings, and our own rates over spans of time,
//! for `ferrovs status`.
//!
//! Both are worked out from what has been counted since the tables were made, so that setting counters
//! to zero disturbs neither. They live in the daemon alone and begin anew with it.

mod estimator;
mod spans;

use std::{collections::HashMap, net::SocketAddr, time::Instant};

use ferrovs_api::{Rates, SpanView};
use ferrovs_model::{Service, ServiceKey, Wanted, publish::Report};

use estimator::Estimator;
use spans::Spans;

/// What is measured of everything that is wanted.
#[derive(Debug, Default)]
pub(super) struct Meter {
    seconds: u64,
    total: Measured,
    services: HashMap<ServiceKey, OfService>,
}

#[derive(Debug, Default)]
struct Measured {
    estimator: Estimator,
    spans: Spans,
}

#[derive(Debug, Default)]
struct OfService {
    /// Tells it from an earlier service with the same key.
    added: u64,
    measured: Measured,
    dests: HashMap<SocketAddr, Estimator>,
}

impl Meter {
    /// To be called every second with what was counted until then.
    pub(super) fn tick(&mut self, now: Instant, wanted: &Wanted, report: &Report) {
        let estimate = self.seconds.is_multiple_of(estimator::PERIOD);
        self.seconds += 1;
        let mut before = std::mem::take(&mut self.services);
        self.total.spans.add(now, report.total.lifetime);
        if estimate {
            self.total.estimator.tick(report.total.lifetime);
        }
        for (service, report) in wanted.services().iter().zip(&report.services) {
            let known = before.remove(&service.key);
            let mut one = known
                .filter(|one| one.added == service.added)
                .unwrap_or_else(|| OfService {
                    added: service.added,
                    ..OfService::default()
                });
            one.measured.spans.add(now, report.traffic.lifetime);
            if estimate {
                one.measured.estimator.tick(report.traffic.lifetime);
                let mut dests = std::mem::take(&mut one.dests);
                let counted = service.destinations.iter().zip(&report.dests);
                one.dests = counted
                    .map(|(dest, report)| {
                        let mut estimator = dests.remove(&dest.address).unwrap_or_default();
                        estimator.tick(report.traffic.lifetime);
                        (dest.address, estimator)
                    })
                    .collect();
            }
            self.services.insert(service.key, one);
        }
    }

    /// Starts the estimates of one service and its destinations, or of everything, at zero again, as IPVS
    /// does together with the counters (`ip_vs_zero_stats`).
    pub(super) fn zero(&mut self, service: Option<&ServiceKey>) {
        if service.is_none() {
            self.total.estimator.zero();
        }
        for (key, one) in &mut self.services {
            if service.is_none_or(|service| service == key) {
                one.measured.estimator.zero();
                one.dests.values_mut().for_each(Estimator::zero);
            }
        }
    }

    /// The estimates of all services together.
    pub(super) fn total(&self) -> Rates {
        self.total.estimator.rates()
    }

    /// The estimates of a service.
    pub(super) fn of_service(&self, service: &Service) -> Rates {
        let one = self.known(service);
        one.map_or_else(Rates::default, |one| one.measured.estimator.rates())
    }

    /// The estimates of one destination of a service.
    pub(super) fn of_dest(&self, service: &Service, address: SocketAddr) -> Rates {
        let one = self.known(service);
        let dest = one.and_then(|one| one.dests.get(&address));
        dest.map_or_else(Rates::default, Estimator::rates)
    }

    /// Our own rates of all services together.
    pub(super) fn spans(&self) -> Vec<SpanView> {
        self.total.spans.view()
    }

    /// Our own rates of a service.
    pub(super) fn spans_of(&self, service: &Service) -> Vec<SpanView> {
        let one = self.known(service);
        one.map_or_else(Vec::new, |one| one.measured.spans.view())
    }

    fn known(&self, service: &Service) -> Option<&OfService> {
        let one = self.services.get(&service.key)?;
        (one.added == service.added).then_some(one)
    }
}
