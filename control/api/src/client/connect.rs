//! Reaching the daemon, and making sure that it is one.

use std::{
    io::{self, ErrorKind},
    os::linux::net::SocketAddrExt,
    os::unix::net::{SocketAddr, UnixStream},
};

use http_body_util::Full;
use hyper::{
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use nix::unistd::{Uid, User, geteuid};

use super::ClientError;

/// Connects and shakes hands; the connection is driven by the runtime this is called on.
pub(super) async fn connect(name: &[u8]) -> Result<SendRequest<Full<Bytes>>, ClientError> {
    let stream = open(name)?;
    check_owner(&stream)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // What goes wrong on the connection is told to the request that waits on it.
    tokio::spawn(connection);
    Ok(sender)
}

fn open(name: &[u8]) -> Result<tokio::net::UnixStream, ClientError> {
    let address = SocketAddr::from_abstract_name(name).map_err(ClientError::Io)?;
    let stream = UnixStream::connect_addr(&address).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => ClientError::NotRunning,
        _ => ClientError::Io(error),
    })?;
    let into_tokio = |stream: UnixStream| -> io::Result<tokio::net::UnixStream> {
        stream.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(stream)
    };
    into_tokio(stream).map_err(ClientError::Io)
}

/// On a connected socket the peer's credentials are those of who called `listen` (unix(7)).
fn check_owner(stream: &tokio::net::UnixStream) -> Result<(), ClientError> {
    let peer = stream.peer_cred().map_err(ClientError::Io)?;
    let owner = Uid::from_raw(peer.uid());
    if is_trusted(owner, geteuid()) {
        return Ok(());
    }
    let user = match User::from_uid(owner) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => owner.to_string(),
    };
    Err(ClientError::NotOurs {
        pid: peer.pid().unwrap_or(0),
        user,
    })
}

/// Anyone may take an abstract name, but root and this user could do worse than that anyway.
fn is_trusted(owner: Uid, me: Uid) -> bool {
    owner.is_root() || owner == me
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_this_user_are_trusted() {
        let (root, me, other) = (Uid::from_raw(0), Uid::from_raw(1000), Uid::from_raw(1001));
        assert!(is_trusted(root, me) && is_trusted(me, me) && is_trusted(root, root));
        assert!(!is_trusted(other, me) && !is_trusted(me, root));
    }
}
