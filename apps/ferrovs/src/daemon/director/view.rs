//! What the director tells about itself.

use ferrovs_api::{
    Counters, DestinationView, EventView, HookView, ServiceRatesView, ServiceView, Services,
    SpanView, Status, SysctlView, Traffic, UnforwardedView,
};
use ferrovs_core::abi::{bucket, reason::Reason};
use ferrovs_model::{
    Service, Unforwarded,
    publish::{Figures, Plane, Report, ServiceReport},
};

use tracing::warn;

use super::{super::plane::Live, Director};

impl Director {
    /// What has been counted.
    pub(super) fn report(&self) -> Report {
        self.publisher.report(&Live(&self.plane.maps), &self.wanted)
    }

    /// All services with their figures.
    pub(in crate::daemon) fn services(&self) -> Services {
        let report = self.report();
        let services = self.wanted.services().iter().zip(report.services);
        Services {
            services: services
                .map(|(service, report)| self.service(service, report))
                .collect(),
            timeouts: self.wanted.timeouts(),
            sysctls: self.wanted.sysctls(),
            pool: self.wanted.pool().to_vec(),
            snat: self.wanted.snat().cloned(),
            total: Traffic {
                counters: counters(report.total.shown),
                rates: self.meter.total(),
            },
        }
    }

    /// All sysctls.
    pub(in crate::daemon) fn sysctls(&self) -> Vec<SysctlView> {
        SysctlView::all(&self.wanted.sysctls())
    }

    fn service(&self, service: &Service, report: ServiceReport) -> ServiceView {
        let dests = service.destinations.iter().zip(report.dests);
        ServiceView {
            key: service.key,
            settings: service.settings.clone(),
            added: service.added,
            traffic: Traffic {
                counters: counters(report.traffic.shown),
                rates: self.meter.of_service(service),
            },
            destinations: dests
                .map(|(&destination, report)| DestinationView {
                    destination,
                    traffic: Traffic {
                        counters: counters(report.traffic.shown),
                        rates: self.meter.of_dest(service, destination.address),
                    },
                    active: report.active,
                    inactive: report.inactive,
                    persistent: report.persistent,
                })
                .collect(),
        }
    }

    /// How the director is.
    pub(in crate::daemon) fn status(&self) -> Status {
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
            table_bytes: self.table_bytes(),
            lifetime: counters(self.report().total.lifetime),
            rates: self.meter.spans(),
            service_rates: services
                .iter()
                .filter_map(|service| self.rates_of(service))
                .collect(),
            unforwarded: self.wanted.unforwarded().iter().map(unforwarded).collect(),
            events: self.events(),
        }
    }

    /// What the tables take; 0 when the kernel does not say.
    fn table_bytes(&self) -> u64 {
        self.plane.maps.bytes().unwrap_or_else(|error| {
            warn!("cannot see how much memory the tables take: {error}");
            0
        })
    }

    /// The rates of a service through which anything went lately.
    fn rates_of(&self, service: &Service) -> Option<ServiceRatesView> {
        let rates = self.meter.spans_of(service);
        let moves = |span: &SpanView| span.conns + span.in_packets + span.out_packets > 0.0;
        rates.iter().any(moves).then(|| ServiceRatesView {
            service: service.key.to_string(),
            rates,
        })
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
    pub(super) fn flows(&self) -> u64 {
        let live = Live(&self.plane.maps);
        let of_dest = |number| {
            let counts = live.flows(number);
            u64::from(counts.active()) + u64::from(counts.inactive())
        };
        let dests = self.publisher.ledger().dests().iter();
        dests.map(|dest| of_dest(dest.number)).sum()
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

fn unforwarded(found: &Unforwarded) -> UnforwardedView {
    UnforwardedView {
        service: found.service.to_string(),
        lacks: found.lacks.iter().map(ToString::to_string).collect(),
    }
}
