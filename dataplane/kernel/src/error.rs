//! What can go wrong with the kernel, in sentences for the person who can mend it.

use std::io;

/// Why the data plane cannot be had, found or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an x86-64 machine.
    #[error(
        "ferrovs runs on x86-64 only so far: its programs rely on that processor's memory ordering"
    )]
    Architecture,
    /// A kernel older than 6.6.
    #[error(
        "this kernel ({0}) cannot attach tc programs by itself (tcx): ferrovs needs Linux 6.6 or later"
    )]
    KernelTooOld(String),
    /// The kernel was built without BTF.
    #[error(
        "this kernel has no type information (/sys/kernel/btf/vmlinux is missing): \
         ferrovs needs a kernel built with CONFIG_DEBUG_INFO_BTF=y"
    )]
    NoBtf,
    /// The user lacks a capability.
    #[error(
        "this needs the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN; missing: {0}. Run it as root"
    )]
    NoPermission(String),
    /// Programs on the interfaces belong to another version.
    #[error(
        "the programs on {interface} are of another version of ferrovs (tables of layout {found}, \
         this one has {ours}); they go on forwarding: manage them with the version that started \
         them, or run `ferrovs down` (which ends their connections) and start again"
    )]
    OtherLayout {
        /// An interface that carries them.
        interface: String,
        /// The layout of their tables.
        found: u64,
        /// The layout this program knows.
        ours: u64,
    },
    /// The verifier did not accept a program.
    #[error("the kernel refuses the program {program} ({error}): {log}")]
    Verifier {
        /// Name of the program.
        program: &'static str,
        /// The error number's text.
        error: io::Error,
        /// The last lines of its findings.
        log: String,
    },
    /// The embedded object cannot be read or lacks something.
    #[error("the embedded eBPF object is broken: {0}")]
    Object(String),
    /// No interface has that name.
    #[error("there is no interface {0:?} in this network namespace (see `ip link`)")]
    NoInterface(String),
    /// A program could not be attached.
    #[error("cannot attach the {hook} program to {interface}: {reason}")]
    Attach {
        /// Name of the interface.
        interface: String,
        /// `xdp` or `tc`.
        hook: &'static str,
        /// What the kernel says about it.
        reason: String,
    },
    /// The wanted state does not fit into its map.
    #[error("the wanted state ({0} bytes) does not fit into its table")]
    WantedTooLarge(usize),
    /// The wanted state that was found is damaged.
    #[error("the stored wanted state is damaged ({0}): run `ferrovs down` and start again")]
    WantedDamaged(&'static str),
    /// Something else that the kernel said.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        error: io::Error,
    },
}

impl Error {
    /// Names what was tried when an I/O error came of it; for `map_err`.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}

/// The result of asking the kernel.
pub type Result<T> = std::result::Result<T, Error>;
