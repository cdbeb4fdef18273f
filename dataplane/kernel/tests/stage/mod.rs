//! A director's namespace with a cable to each side, and what the tests do in it.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc};

use ferrovs_kernel::{DataPlane, HookChoice, Keeper, Sizes, Targets, Tuning};
use ferrovs_lab::{Namespace, veth};

/// The virtual address, on `outside`.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
/// A real server's address, reached by `inside`.
pub(crate) const RIP: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 2);
const DIP: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 1);

/// The namespaces of one test.
pub(crate) struct Stage {
    pub(crate) director: Namespace,
    pub(crate) peer: Namespace,
}

impl Stage {
    /// Ends the test loudly without root: a test that cannot look must not say that all is well.
    pub(crate) fn new(test: &str) -> Self {
        assert!(
            ferrovs_lab::is_root(),
            "this test makes network namespaces and loads programs: run it as root"
        );
        let name = |role| format!("ferrovs-k-{test}-{role}-{}", std::process::id());
        let stage = Self {
            director: Namespace::create(&name("d")).unwrap(),
            peer: Namespace::create(&name("p")).unwrap(),
        };
        let (director, peer) = (&stage.director, &stage.peer);
        let (outside, client) = veth((director, "outside"), (peer, "client")).unwrap();
        let (inside, server) = veth((director, "inside"), (peer, "server")).unwrap();
        outside.add_address(VIP, 24).unwrap();
        inside.add_address(DIP, 24).unwrap();
        server.add_address(RIP, 24).unwrap();
        for link in [outside, client, inside, server] {
            link.up().unwrap();
        }
        stage
    }

    /// Runs in the director's namespace.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.director.run(work).unwrap()
    }
}

/// Small tables, and programs that are attached nowhere.
pub(crate) fn data_plane() -> Arc<DataPlane> {
    let sizes = Sizes::new(Some(1024));
    Arc::new(DataPlane::create(&sizes, 4).unwrap())
}

/// A keeper that remembers nothing.
pub(crate) fn keeper(plane: &Arc<DataPlane>) -> Keeper {
    Keeper::new(Arc::clone(plane), Tuning::new(), Box::new(|_| Ok(()))).unwrap()
}

/// One service with one server, whose number is 1.
pub(crate) fn targets(choice: HookChoice) -> Targets {
    Targets {
        virtuals: BTreeSet::from([VIP.into()]),
        dests: vec![(1, RIP.into())],
        choice,
        anchored: true,
        ..Targets::default()
    }
}
