//! Writing a table down and reading it again.

use ferrovs_config::saved;
use ferrovs_model::{
    SchedulerFlags, Service, ServiceKey, ServiceSettings, Sysctls, Timeouts, Wanted, differences,
};

use super::command::ipvsadm;
use crate::memory::Director;

/// The file of `ferrovs save` says all there is.
pub(super) fn by_file(wanted: &Wanted) {
    let text = saved::write(wanted).expect("every state can be written");
    match saved::read(&text) {
        Ok(read) => {
            assert_same(wanted, &read);
            assert_eq!(by_age(wanted), by_age(&read), "services are of another age");
        }
        Err(error) => panic!("what was saved cannot be read: {error}\n{text}"),
    }
}

/// Both want the same; which services are older does not count.
pub(super) fn assert_same(old: &Wanted, new: &Wanted) {
    let found = differences(old, new);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "they differ:\n{}", lines.join("\n"));
}

/// The older ones first.
fn by_age(wanted: &Wanted) -> Vec<ServiceKey> {
    let mut services: Vec<&Service> = wanted.services().iter().collect();
    services.sort_by_key(|service| service.added);
    services.into_iter().map(|service| service.key).collect()
}

/// `ipvsadm -S` says all that it does not lose in ipvsadm too, with numbers as with names.
pub(super) fn by_commands(director: &Director) {
    let kept = kept(director.wanted());
    let has_name_for_ipv6 = kept.services().iter().any(names_localhost);
    for word in ["-Sn", "-S"] {
        if word == "-S" && has_name_for_ipv6 {
            continue;
        }
        let mut saving = Director::of(kept.clone());
        let saved = ipvsadm(word, b"", &mut saving);
        assert_eq!((saved.status, saved.err.as_str()), (0, ""), "{word}");
        let mut restored = Director::default();
        let done = ipvsadm("-R", saved.out.as_bytes(), &mut restored);
        assert_eq!(
            (done.status, done.out.as_str(), done.err.as_str()),
            (0, "", ""),
            "{word} printed what -R does not take:\n{}",
            saved.out
        );
        assert_same(&sorted(&kept), &sorted(restored.wanted()));
    }
}

/// What `ipvsadm -S` keeps of a state. It loses timeouts, sysctls, thresholds and the third flag of `sh` and `mh`,
/// and prints marks above 2147483647 as negative numbers, which `-R` refuses.
fn kept(wanted: &Wanted) -> Wanted {
    let keeps = |service: &&Service| match service.key {
        ServiceKey::Mark { mark, .. } => i32::try_from(mark).is_ok(),
        ServiceKey::Address { .. } => true,
    };
    let keep = |service: &Service| {
        let mut kept = service.clone();
        drop_third_flag(&mut kept.settings);
        for server in &mut kept.destinations {
            server.upper_threshold = 0;
            server.lower_threshold = 0;
        }
        kept
    };
    let services = wanted.services().iter().filter(keeps).map(keep);
    state(services.collect())
}

fn drop_third_flag(settings: &mut ServiceSettings) {
    if !matches!(settings.scheduler.as_str(), "sh" | "mh") {
        return;
    }
    let flags = [SchedulerFlags::FALLBACK, SchedulerFlags::PORT];
    let set = flags
        .into_iter()
        .filter(|&flag| settings.scheduler_flags.has(flag));
    settings.scheduler_flags = set.fold(SchedulerFlags::NONE, |all, flag| all | flag);
}

/// Without the order of servers, which `ipvsadm -S` sorts.
fn sorted(wanted: &Wanted) -> Wanted {
    let mut services = wanted.services().to_vec();
    for service in &mut services {
        service.destinations.sort_by_key(|server| server.address);
    }
    state(services)
}

fn state(services: Vec<Service>) -> Wanted {
    Wanted::of(
        services,
        Timeouts::default(),
        Sysctls::default(),
        Vec::new(),
    )
    .expect("no key is there twice")
}

/// Whether `::1` is in it: ipvsadm prints the names of IPv6 hosts and reads none.
fn names_localhost(service: &Service) -> bool {
    let own = service.key.endpoint().map(|(_, address)| address);
    let servers = service.destinations.iter().map(|server| server.address);
    let localhost = std::net::Ipv6Addr::LOCALHOST;
    own.into_iter()
        .chain(servers)
        .any(|address| address.ip() == localhost)
}
