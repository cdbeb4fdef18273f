//! Programs and maps in the kernel: which belong to a director, and whether they have gone.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use ferrovs_kernel::sys;
use ferrovs_lab::Namespace;

/// How long the kernel may take to free what nobody uses any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Numbers of programs and of the maps they use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Objects {
    pub(crate) programs: BTreeSet<u32>,
    pub(crate) maps: BTreeSet<u32>,
}

impl Objects {
    /// What is attached in a director, and everything that was loaded over the same maps. (Other tests on
    /// this machine may load programs at the same time, so the kernel's whole list says nothing.)
    pub(crate) fn of(director: &Namespace) -> Self {
        let attached = |name: &str| {
            // Half-way through building or removing, an interface may be missing.
            let index = director.link(name).map_or(0, |link| link.index());
            sys::tcx_query(index).unwrap_or_default()
        };
        let attached: Vec<u32> = director
            .run(|| {
                ["lo", "outer", "inner"]
                    .iter()
                    .flat_map(|name| attached(name))
                    .collect()
            })
            .unwrap();
        let maps: BTreeSet<u32> = attached.into_iter().flat_map(maps_of).collect();
        let shares = |program: &u32| maps_of(*program).iter().any(|map| maps.contains(map));
        Self {
            programs: all_programs().into_iter().filter(shares).collect(),
            maps,
        }
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.maps.is_empty()
    }

    /// Ends the test unless the kernel has none of them any more, soon.
    pub(crate) fn assert_gone(&self) {
        assert!(!self.is_empty(), "there was nothing that could go");
        let exists = |opened: io::Result<OwnedFd>| opened.is_ok();
        let begin = Instant::now();
        loop {
            let left = Self {
                programs: retain(&self.programs, |id| exists(sys::program_by_id(id))),
                maps: retain(&self.maps, |id| exists(sys::map_by_id(id))),
            };
            if left.is_empty() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "these stay loaded: {left:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn retain(numbers: &BTreeSet<u32>, keep: impl Fn(u32) -> bool) -> BTreeSet<u32> {
    numbers.iter().copied().filter(|&id| keep(id)).collect()
}

/// None when the program has gone meanwhile.
fn maps_of(program: u32) -> Vec<u32> {
    sys::program_by_id(program)
        .and_then(|program| sys::program_info(program.as_fd()))
        .map_or_else(|_| Vec::new(), |info| info.maps)
}

/// The numbers of all programs in the kernel.
fn all_programs() -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut last = 0;
    while let Some(next) = next_program(last) {
        numbers.push(next);
        last = next;
    }
    numbers
}

/// The program with the next larger number, of all in the kernel.
fn next_program(after: u32) -> Option<u32> {
    /// `BPF_PROG_GET_NEXT_ID` of `enum bpf_cmd`.
    const COMMAND: libc::c_long = 11;
    // start_id, next_id, open_flags: that command's part of `union bpf_attr`.
    let mut attributes = [after, 0_u32, 0];
    // SAFETY: the kernel reads and writes the array, of which it is told the true size.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            COMMAND,
            attributes.as_mut_ptr(),
            size_of_val(&attributes),
        )
    };
    match result {
        0 => Some(attributes[1]),
        _ => None,
    }
}
