//! Locality-based least connections (`ip_vs_lblc.c`): the address that clients write to stays with its server, unless that one has
//! too much to do while another is idle. For caches, behind services with many addresses, those by firewall mark.

use crate::abi::dest::{STANDING, Standing};
use crate::abi::locality::MEMBERS;
use crate::tables::{Line, Tables};

/// The server of the address with this line; 0 if it gets no new flows. One whose [limits](crate::abi::dest::Limits) are
/// reached keeps its addresses.
#[inline(always)]
pub(super) fn server<T: Tables>(tables: &T, line: T::Line, service: u32) -> u32 {
    let dest = line.load(MEMBERS as usize) as u32;
    let standing = tables
        .counts(dest)
        .map_or(Standing(0), |counts| Standing(counts.load(STANDING)));
    if standing.is_listed(service) && standing.weight() > 0 {
        dest
    } else {
        0
    }
}
