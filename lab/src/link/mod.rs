//! Interfaces: virtual Ethernet cables, switches, and what can be set on them.

mod address;
mod mac;
mod offload;

use std::os::fd::AsRawFd;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage},
};

pub use self::{mac::Mac, offload::Offload};
use crate::{
    error::{Doing, Error, Result},
    namespace::Namespace,
};

/// An interface in a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    namespace: &'a Namespace,
    index: u32,
}

/// Makes a cable: a pair of virtual Ethernet interfaces, one in each namespace (which may be the
/// same), both down.
///
/// # Errors
/// When a name is taken or the kernel refuses.
pub fn veth<'a>(
    one: (&'a Namespace, &str),
    other: (&'a Namespace, &str),
) -> Result<(Link<'a>, Link<'a>)> {
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(other.1.to_owned()),
        LinkAttribute::NetNsFd(other.0.handle().as_raw_fd()),
    ];
    let kind = vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ];
    add(one.0, one.1, kind)?;
    Ok((one.0.link(one.1)?, other.0.link(other.1)?))
}

fn add(namespace: &Namespace, name: &str, kind: Vec<LinkInfo>) -> Result<()> {
    let mut link = LinkMessage::default();
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::LinkInfo(kind),
    ];
    namespace
        .route()
        .request(
            RouteNetlinkMessage::NewLink(link),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map(drop)
        .doing(|| format!("make the interface {name} in {}", namespace.name()))
}

impl Namespace {
    /// The interface called `name`.
    ///
    /// # Errors
    /// [`Error::NoInterface`] when there is none.
    pub fn link(&self, name: &str) -> Result<Link<'_>> {
        self.links()?
            .into_iter()
            .find_map(|(index, found)| {
                (found == name).then_some(Link {
                    namespace: self,
                    index,
                })
            })
            .ok_or_else(|| Error::NoInterface {
                namespace: self.name().to_owned(),
                interface: name.to_owned(),
            })
    }

    /// Makes a switch: a bridge without spanning tree, so that its ports forward at once.
    ///
    /// # Errors
    /// When the name is taken or the kernel refuses.
    pub fn add_bridge(&self, name: &str) -> Result<Link<'_>> {
        add(self, name, vec![LinkInfo::Kind(InfoKind::Bridge)])?;
        self.link(name)
    }

    fn links(&self) -> Result<Vec<(u32, String)>> {
        let answers = self
            .route()
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .doing(|| format!("list the interfaces of {}", self.name()))?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => {
                    Some((link.header.index, name_of(&link.attributes)?))
                }
                _ => None,
            })
            .collect())
    }
}

impl<'a> Link<'a> {
    /// The namespace the interface is in.
    pub fn namespace(&self) -> &'a Namespace {
        self.namespace
    }

    /// The number by which the kernel knows the interface in its namespace.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The interface's name.
    ///
    /// # Errors
    /// When the interface has gone.
    pub fn name(&self) -> Result<String> {
        let link = self.read()?;
        name_of(&link.attributes)
            .ok_or_else(|| Error::Unexpected("an interface without a name".into()))
    }

    /// Turns the interface on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn up(&self) -> Result<()> {
        self.set_flags(LinkFlags::Up)
    }

    /// Turns the interface off.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn down(&self) -> Result<()> {
        self.set_flags(LinkFlags::empty())
    }

    /// Plugs the interface into a bridge of the same namespace.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn plug_into(&self, bridge: Link<'_>) -> Result<()> {
        self.set("plug in", vec![LinkAttribute::Controller(bridge.index)])
    }

    /// Sets the largest IP packet the interface sends, in bytes.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_mtu(&self, bytes: u32) -> Result<()> {
        self.set("set the MTU of", vec![LinkAttribute::Mtu(bytes)])
    }

    /// Removes the interface; of a cable, both ends.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(self) -> Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        self.change("remove", RouteNetlinkMessage::DelLink(link))
    }

    fn set_flags(&self, flags: LinkFlags) -> Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.header.flags = flags;
        link.header.change_mask = LinkFlags::Up;
        self.change("turn on or off", RouteNetlinkMessage::SetLink(link))
    }

    fn set(&self, action: &str, attributes: Vec<LinkAttribute>) -> Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.attributes = attributes;
        self.change(action, RouteNetlinkMessage::SetLink(link))
    }

    fn change(&self, action: &str, message: RouteNetlinkMessage) -> Result<()> {
        let outcome = self.namespace.route().request(message, 0);
        outcome.map(drop).doing(|| self.describe(action))
    }

    fn read(&self) -> Result<LinkMessage> {
        let mut wanted = LinkMessage::default();
        wanted.header.index = self.index;
        let answers = self
            .namespace
            .route()
            .request(RouteNetlinkMessage::GetLink(wanted), 0);
        answers
            .doing(|| self.describe("look at"))?
            .into_iter()
            .find_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Some(link),
                _ => None,
            })
            .ok_or_else(|| Error::Unexpected(self.describe("look at")))
    }

    fn describe(&self, action: &str) -> String {
        format!(
            "{action} interface {} of {}",
            self.index,
            self.namespace.name()
        )
    }
}

fn name_of(attributes: &[LinkAttribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}
