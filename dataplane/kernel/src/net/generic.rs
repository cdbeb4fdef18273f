//! Generic netlink: questions to one family of the kernel's interfaces.
//!
//! [`Generic::ask`] and [`Generic::dump`] return the attributes of each answer as bytes; what they mean
//! is the callers' affair (`features`, `ipvs`). Whatever bytes arrive, the outcome is answers or an
//! error: half of a message is not taken for a whole one.

use std::{io, os::fd::AsFd};

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN,
    NetlinkBuffer,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use super::{
    message::{attributes, check},
    socket::{PATIENCE, set_timeout},
};

/// `GENL_ID_CTRL`: the family that knows all others.
const CONTROLLER: u16 = 16;
/// `CTRL_CMD_GETFAMILY`, and its attributes `CTRL_ATTR_FAMILY_ID` and `_NAME`.
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// Version of the requests. All families that are asked here have this one.
const VERSION: u8 = 1;
/// Bytes of the netlink header and of the generic netlink header.
const HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// Carries datagrams: a socket, or recorded ones in tests.
pub(crate) trait Transport {
    /// Sends a request.
    fn send(&mut self, request: &[u8]) -> io::Result<()>;
    /// Waits for the next datagram that the kernel sends.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// A family to ask.
#[derive(Debug)]
pub(crate) struct Generic<T = Socket> {
    transport: T,
    family: u16,
    sequence: u32,
}

impl Generic {
    /// A socket in the network namespace of the calling thread; `None` if the kernel has no such family.
    pub(crate) fn open(name: &str) -> io::Result<Option<Self>> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        set_timeout(socket.as_fd(), PATIENCE)?;
        Self::find(socket, name)
    }
}

impl<T: Transport> Generic<T> {
    /// Looks for the family among all: asked for it by name, the kernel would load a module that has it
    /// (`ctrl_getfamily`).
    pub(crate) fn find(transport: T, name: &str) -> io::Result<Option<Self>> {
        let mut controller = Self {
            transport,
            family: CONTROLLER,
            sequence: 0,
        };
        let families = controller.dump(GET_FAMILY, &[])?;
        let number = families
            .iter()
            .find_map(|family| number_of_family(family, name));
        Ok(number.map(|family| Self {
            family,
            ..controller
        }))
    }

    /// The answer to one question.
    pub(crate) fn ask(&mut self, command: u8, attributes: &[DefaultNla]) -> io::Result<Vec<u8>> {
        self.send(command, attributes, NLM_F_REQUEST)?;
        loop {
            let (mut answers, done) = self.receive()?;
            if let Some(answer) = answers.pop() {
                return Ok(answer);
            }
            if done {
                return Err(damaged("it answers without an answer"));
            }
        }
    }

    /// Everything of one kind.
    pub(crate) fn dump(
        &mut self,
        command: u8,
        attributes: &[DefaultNla],
    ) -> io::Result<Vec<Vec<u8>>> {
        self.send(command, attributes, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut all = Vec::new();
        loop {
            let (answers, done) = self.receive()?;
            all.extend(answers);
            if done {
                return Ok(all);
            }
        }
    }

    fn send(&mut self, command: u8, attributes: &[DefaultNla], flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = vec![0; HEADER + GENERIC_HEADER + attributes.buffer_len()];
        attributes.emit(&mut request[HEADER + GENERIC_HEADER..]);
        request[HEADER] = command;
        request[HEADER + 1] = VERSION;
        let length = request.len() as u32;
        let mut header = NetlinkBuffer::new(&mut request);
        header.set_length(length);
        header.set_message_type(self.family);
        header.set_flags(flags);
        header.set_sequence_number(self.sequence);
        self.transport.send(&request)
    }

    /// Attributes of the answers in the next datagram, and whether it ends them.
    fn receive(&mut self) -> io::Result<(Vec<Vec<u8>>, bool)> {
        let datagram = self.transport.receive()?;
        let mut answers = Vec::new();
        let mut rest = &datagram[..];
        while !rest.is_empty() {
            let message =
                NetlinkBuffer::new_checked(rest).map_err(|_| damaged("a message is cut short"))?;
            let length = message.length() as usize;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if message.sequence_number() != self.sequence {
                continue;
            }
            let payload = message.payload();
            match message.message_type() {
                NLMSG_DONE => return end(payload).map(|()| (answers, true)),
                NLMSG_ERROR => return check(payload).map(|()| (answers, true)),
                NLMSG_OVERRUN => return Err(damaged("a part of it is lost")),
                family if family == self.family => {
                    let attributes = payload.get(GENERIC_HEADER..);
                    let attributes = attributes.ok_or(damaged("a message is too short"))?;
                    answers.push(attributes.to_vec());
                }
                _ => return Err(damaged("a message is of another kind")),
            }
        }
        Ok((answers, false))
    }
}

impl Transport for Socket {
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.send_to(request, &SocketAddr::new(0, 0), 0).map(|_| ())
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (datagram, sender) = self.recv_from_full()?;
            // Other processes may send too.
            if sender.port_number() == 0 {
                return Ok(datagram);
            }
        }
    }
}

/// The number of a family, if the answer is about the one of this name.
fn number_of_family(answer: &[u8], wanted: &str) -> Option<u16> {
    let mut number = None;
    let mut is_wanted = false;
    for (kind, value) in attributes(answer) {
        match (kind, value) {
            (FAMILY_ID, &[a, b]) => number = Some(u16::from_ne_bytes([a, b])),
            (FAMILY_NAME, [name @ .., 0]) => is_wanted = name == wanted.as_bytes(),
            _ => {}
        }
    }
    number.filter(|_| is_wanted)
}

/// The last message of a dump carries the number of an error that broke it off, or 0.
fn end(payload: &[u8]) -> io::Result<()> {
    match payload
        .first_chunk()
        .map(|number| i32::from_ne_bytes(*number))
    {
        Some(number) if number < 0 => Err(io::Error::from_raw_os_error(number.wrapping_neg())),
        _ => Ok(()),
    }
}

fn damaged(why: &'static str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the kernel's answer is damaged: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_found_by_its_name() {
        let mut controller = Generic::open("nlctrl").unwrap().unwrap();
        assert_eq!(controller.family, CONTROLLER);
        let name = DefaultNla::new(FAMILY_NAME, b"nlctrl\0".to_vec());
        let answer = controller.ask(GET_FAMILY, &[name]).unwrap();
        assert_eq!(number_of_family(&answer, "nlctrl"), Some(CONTROLLER));
        assert_eq!(number_of_family(&answer, "nlctr"), None);
        assert!(Generic::open("nosuch").unwrap().is_none());
    }

    #[test]
    fn what_the_kernel_refuses_is_its_error() {
        let mut controller = Generic::open("nlctrl").unwrap().unwrap();
        let name = DefaultNla::new(FAMILY_NAME, b"nosuch\0".to_vec());
        let error = controller.ask(GET_FAMILY, &[name]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }

    /// One datagram, whatever is asked.
    struct Says(Vec<u8>);

    impl Transport for Says {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            Ok(())
        }

        fn receive(&mut self) -> io::Result<Vec<u8>> {
            Ok(self.0.clone())
        }
    }

    fn dump_of(messages: &[(u16, u32, &[u8])]) -> io::Result<Vec<Vec<u8>>> {
        let mut datagram = Vec::new();
        for (kind, sequence, payload) in messages {
            datagram.extend(((HEADER + payload.len()) as u32).to_ne_bytes());
            datagram.extend(kind.to_ne_bytes());
            datagram.extend([0; 2]);
            datagram.extend(sequence.to_ne_bytes());
            datagram.extend([0; 4]);
            datagram.extend(*payload);
        }
        let transport = Says(datagram);
        let (family, sequence) = (30, 0);
        Generic {
            transport,
            family,
            sequence,
        }
        .dump(1, &[])
    }

    #[test]
    fn answers_to_earlier_questions_are_skipped() {
        let answers = dump_of(&[
            (30, 0, &[0, 0, 0, 0, 7, 7, 7, 7]),
            (30, 1, &[0, 0, 0, 0, 9, 9, 9, 9]),
            (NLMSG_DONE, 1, &[0; 4]),
        ]);
        assert_eq!(answers.unwrap(), [[9, 9, 9, 9]]);
    }

    #[test]
    fn an_error_may_end_a_dump() {
        let broken_off = (-libc::ENOMEM).to_ne_bytes();
        let error = dump_of(&[(NLMSG_DONE, 1, &broken_off)]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
        let refused = [(-libc::EPERM).to_ne_bytes().as_slice(), &[0; 16]].concat();
        let error = dump_of(&[(NLMSG_ERROR, 1, &refused)]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        // A number that has no opposite.
        assert!(dump_of(&[(NLMSG_DONE, 1, &i32::MIN.to_ne_bytes())]).is_err());
        assert!(dump_of(&[(NLMSG_ERROR, 1, &i32::MIN.to_ne_bytes())]).is_err());
    }

    #[test]
    fn half_a_message_is_an_error() {
        for (kind, payload) in [
            (30, &[0; 3][..]),
            (31, &[0; 4]),
            (NLMSG_OVERRUN, &[]),
            (NLMSG_ERROR, &[0; 3]),
        ] {
            let error = dump_of(&[(kind, 1, payload)]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{kind}");
        }
    }
}
