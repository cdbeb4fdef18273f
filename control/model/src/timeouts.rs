//! How long an idle flow lives.

use serde::{Deserialize, Serialize};

/// The longest timeout, in seconds: 31 days, as in `ipvsadm`.
pub const MAX_TIMEOUT: u32 = 31 * 24 * 60 * 60;

/// The timeouts an administrator may set, in seconds. The other states of a TCP flow have fixed
/// ones.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Timeouts {
    /// An established TCP flow.
    pub tcp: u32,
    /// A TCP flow after a FIN.
    pub tcp_fin: u32,
    /// A UDP flow.
    pub udp: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: 900,
            tcp_fin: 120,
            udp: 300,
        }
    }
}
