//! The control socket: its name, and who may talk on it.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixStream},
        },
    },
};

use anyhow::{Context, bail};
use ferrovs_api::SOCKET_NAME;
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
        sockopt::PeerCredentials,
    },
    unistd::{Gid, Group, Uid, User},
};

use super::Listener;

/// Members of this group may do on the socket what root may.
const GROUP: &str = "ferrovs";
/// `SO_PEERGROUPS`.
const SO_PEERGROUPS: libc::c_int = 59;
/// Connections that may wait.
const BACKLOG: i32 = 128;

/// The socket's name, taken, and nobody listening yet: who connects is told that there is no daemon
/// until it is ready.
pub(super) struct Name(OwnedFd);

/// What became of the wish for the name.
pub(super) enum Taken {
    /// It is ours.
    Ours(Name),
    /// A daemon has it, or is about to serve under it; in a sentence.
    ByDaemon(String),
}

/// Takes the name. It exists once per network namespace, so this also keeps a second daemon out.
pub(super) fn take() -> anyhow::Result<Taken> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .context("cannot make the control socket")?;
    match bind(fd.as_raw_fd(), &UnixAddr::new_abstract(SOCKET_NAME)?) {
        Ok(()) => Ok(Taken::Ours(Name(fd))),
        Err(Errno::EADDRINUSE) => holder().map(Taken::ByDaemon),
        Err(error) => Err(error).context("cannot take the name of the control socket"),
    }
}

impl Name {
    /// Begins to listen.
    pub(super) fn listen(self) -> anyhow::Result<Listener> {
        listen(&self.0, Backlog::new(BACKLOG)?).context("cannot listen on the control socket")?;
        Ok(Listener::from(self.0))
    }
}

/// Which daemon holds the name, in a sentence; an error if it is somebody else.
fn holder() -> anyhow::Result<String> {
    let asked = SocketAddr::from_abstract_name(SOCKET_NAME)
        .and_then(|address| UnixStream::connect_addr(&address));
    let Ok(stream) = asked else {
        return Ok("another ferrovs daemon is just starting in this network namespace".to_owned());
    };
    let Ok(peer) = nix::sys::socket::getsockopt(&stream, PeerCredentials) else {
        bail!("the control socket of this network namespace is in use");
    };
    let command = fs::read_to_string(format!("/proc/{}/comm", peer.pid())).unwrap_or_default();
    let owner = Uid::from_raw(peer.uid());
    if command.trim() == "ferrovs" && (owner.is_root() || owner == Uid::effective()) {
        return Ok(format!(
            "a ferrovs daemon runs in this network namespace already: process {}; stop it first \
             (`kill {0}` leaves its work in place, `ferrovs down` takes it away)",
            peer.pid()
        ));
    }
    let user = match User::from_uid(owner) {
        Ok(Some(user)) => user.name,
        Ok(None) | Err(_) => owner.to_string(),
    };
    bail!(
        "the control socket of ferrovs is held by process {} ({}) of user {user}: stop that process, then \
         try again",
        peer.pid(),
        command.trim()
    )
}

/// Who is at the other end of a connection, and whether that is allowed.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    allowed: bool,
    /// Whether it is in another user namespace.
    stranger: bool,
    user: Uid,
}

impl Peer {
    pub(super) fn of(stream: &tokio::net::UnixStream) -> Self {
        let Ok(credentials) = stream.peer_cred() else {
            return Self::nobody();
        };
        let user = Uid::from_raw(credentials.uid());
        let groups = || {
            let mut groups = peer_groups(stream).unwrap_or_default();
            groups.push(Gid::from_raw(credentials.gid()));
            groups
        };
        let known = user.is_root() || user == Uid::effective() || is_member(&groups());
        let stranger = credentials.pid().is_some_and(is_of_other_users);
        Self {
            allowed: known && !stranger,
            stranger,
            user,
        }
    }

    fn nobody() -> Self {
        Self {
            allowed: false,
            stranger: false,
            user: Uid::from_raw(u32::MAX),
        }
    }

    /// Why this peer may not, in a sentence; `None` if it may.
    pub(super) fn refusal(&self) -> Option<String> {
        (!self.allowed).then(|| {
            let namespace = if self.stranger {
                " of another user namespace"
            } else {
                ""
            };
            format!(
                "user {}{namespace} may not control ferrovs: become root or a member of the group {GROUP}",
                self.user
            )
        })
    }
}

/// Whether it is certain that a process is in another user namespace than this one. Its root is not root
/// here, as for the kernel's IPVS, which asks for the capability in the network namespace's owner.
fn is_of_other_users(process: i32) -> bool {
    let namespace = |process: &str| {
        let file = fs::metadata(format!("/proc/{process}/ns/user")).ok()?;
        Some((file.dev(), file.ino()))
    };
    let (its, own) = (namespace(&process.to_string()), namespace("self"));
    its.is_some() && own.is_some() && its != own
}

fn is_member(groups: &[Gid]) -> bool {
    let group = Group::from_name(GROUP).ok().flatten();
    group.is_some_and(|group| groups.contains(&group.gid))
}

/// The supplementary groups the peer had when it connected.
fn peer_groups(stream: &tokio::net::UnixStream) -> io::Result<Vec<Gid>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut length = (groups.len() * size_of::<libc::gid_t>()) as libc::socklen_t;
        // SAFETY: the buffer is as long as it says.
        let result = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups.into_iter().map(Gid::from_raw).collect());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (tokio::net::UnixStream, tokio::net::UnixStream) {
        tokio::net::UnixStream::pair().unwrap()
    }

    #[tokio::test]
    async fn this_user_may_talk_to_its_own_daemon() {
        let (one, _other) = pair();
        assert_eq!(Peer::of(&one).refusal(), None);
        assert!(peer_groups(&one).is_ok());
    }

    #[test]
    fn a_stranger_is_told_what_to_do() {
        let refusal = Peer::nobody().refusal().unwrap();
        assert!(refusal.contains("group ferrovs"), "{refusal}");
    }
}
