//! Listing flows: a thread walks the mapped table and writes lines of JSON into a channel that holds a
//! few pieces, so that a million flows take no more memory than a few.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::body::Bytes;
use ferrovs_api::FlowView;
use ferrovs_core::{
    abi::{
        bucket,
        config::nanoseconds,
        endpoint::{Endpoint, tag},
        state,
    },
    flow::{Flow, is_expired, read, timeout},
    tables::Tables,
};
use ferrovs_kernel::{DataPlane, Maps};
use ferrovs_model::Protocol;
use tokio::sync::mpsc;

/// Bytes of a piece, about 350 flows.
const PIECE: usize = 64 << 10;
/// Pieces that may wait for a slow reader.
const PIECES: usize = 4;

/// Begins to list; the pieces come out of the channel.
pub(super) fn start(plane: Arc<DataPlane>) -> mpsc::Receiver<Bytes> {
    let (pieces, received) = mpsc::channel(PIECES);
    tokio::task::spawn_blocking(move || {
        // A reader that has gone ends the listing.
        let _ = write(&plane.maps, &pieces);
    });
    received
}

fn write(maps: &Maps, pieces: &mpsc::Sender<Bytes>) -> Result<(), mpsc::error::SendError<Bytes>> {
    let mut piece = Vec::with_capacity(PIECE + 512);
    for number in 0..maps.flow_lines() {
        if number % bucket::LINES == 0 {
            continue;
        }
        let tables: &Maps = maps;
        let Some(flow) = (&tables).flow(number).and_then(|line| read(line, number)) else {
            continue;
        };
        let Some(view) = view(maps, &flow) else {
            continue;
        };
        // Writing into memory does not fail, nor do these types.
        if serde_json::to_writer(&mut piece, &view).is_ok() {
            piece.push(b'\n');
        }
        if piece.len() >= PIECE {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE + 512));
            pieces.blocking_send(Bytes::from(full))?;
        }
    }
    if piece.is_empty() {
        return Ok(());
    }
    pieces.blocking_send(Bytes::from(piece))
}

/// A flow as it is listed; `None` if its time is over.
fn view(maps: &Maps, flow: &Flow) -> Option<FlowView<'static>> {
    let tables = &maps;
    let now = tables.now();
    if is_expired(tables, flow.control, now) {
        return None;
    }
    let protocol = [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .find(|protocol| u16::from(protocol.number()) == tag(flow.client))?;
    let idle = now.wrapping_sub(flow.control.last_seen()) as i32;
    let left = timeout(tables, flow.control.state()).saturating_sub(idle.max(0) as u32);
    Some(FlowView {
        protocol,
        expires: (nanoseconds(left) / 1_000_000_000) as u32,
        state: Cow::Borrowed(state::name(flow.control.state())),
        client: address(flow.client),
        virtual_: address(flow.virtual_),
        destination: address(flow.dest),
    })
}

fn address(word: u64) -> SocketAddr {
    let endpoint = Endpoint::unpack(word);
    SocketAddr::from((Ipv4Addr::from(endpoint.octets()), endpoint.host_port()))
}
