//! Which Call-IDs are read from a message.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use ferrovs_core::{
    abi::{
        call::{Call, LONGEST},
        ipv6::Address,
        service,
        slab::Table,
    },
    frame::Frame,
    sip::Payload,
    tables::{Line, Tables},
};
use ferrovs_sim::{Memory, Size, SliceFrame};

/// A service's number.
const NUMBER: u16 = 1;
/// Bytes of headers before a message.
const HEADERS: usize = 42;

/// What begins all messages of which the beginning does not matter.
const BEGIN: &str = "INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\n";
/// What ends them.
const END: &str = "\r\nCSeq: 1 INVITE\r\n\r\n";

fn memory() -> Memory {
    let size = Size {
        buckets: 2,
        filter_lines: 16,
        pointers: 1,
    };
    let memory = Memory::new(size, 1, 1, 1);
    assert!(memory.grow(Table::Services, 0..2));
    let line = (&memory).service(NUMBER.into()).unwrap();
    line.store(service::MASK, u64::MAX);
    memory
}

/// The call that a message is of, and its Call-ID as it is kept.
fn read_from(memory: &Memory, message: &[u8], client: Address) -> (Call, Vec<u8>) {
    let mut bytes = vec![0x0a; HEADERS];
    bytes.extend(message);
    // What Ethernet pads with is not the message's.
    bytes.extend(b"\r\n\r\n");
    let payload = Payload::new(HEADERS, HEADERS + message.len());
    let frame = SliceFrame::new(&mut bytes);
    let call = frame.call(&memory, NUMBER, payload, client);
    frame.note_call(&memory, payload, call);
    let text = memory.calls().get(&call).cloned().unwrap_or_default();
    assert_eq!(text.is_empty(), call.is_none());
    (call, text)
}

fn call_id(message: impl AsRef<[u8]>) -> String {
    let (_, text) = read_from(&memory(), message.as_ref(), Address::default());
    String::from_utf8_lossy(&text).into_owned()
}

/// Of a message with this line among others.
fn of_line(line: &str) -> String {
    call_id(format!("{BEGIN}{line}{END}"))
}

#[test]
fn a_call_id_has_two_names_in_any_case() {
    for line in [
        "Call-ID: a84b4c76e66710@pc33",
        "call-id:a84b4c76e66710@pc33",
        "CALL-ID  :\t a84b4c76e66710@pc33",
        "i: a84b4c76e66710@pc33",
        "I \t:a84b4c76e66710@pc33",
        "Call-ID:\r\n a84b4c76e66710@pc33",
        "Call-ID: \n\t \ta84b4c76e66710@pc33",
        "Call-ID: a84b4c76e66710@pc33\r\nCall-ID: another",
        "Call-ID:\r\nCall-ID: a84b4c76e66710@pc33",
        "Call-ID: =\r\ni: a84b4c76e66710@pc33",
        "Call-ID: other@\r\ni: a84b4c76e66710@pc33",
        "Call-Info: x\r\nin: x\r\nCall-I: x\r\nCall-IDs: x\r\ni;x\r\nCall-ID: a84b4c76e66710@pc33",
    ] {
        assert_eq!(of_line(line), "a84b4c76e66710@pc33", "{line:?}");
    }
    let lines = "OPTIONS sip:a SIP/2.0\nX: y\n\nCall-ID: body\n";
    assert_eq!(call_id(lines), "body");
    assert_eq!(call_id("\r\ni:a\r"), "a");
}

#[test]
fn what_is_no_call_id_is_none() {
    for line in [
        "",
        "Call-ID",
        "Call-ID:",
        "Call-ID a",
        "Call-ID:\r\n",
        "Call-ID: a b",
        "Call-ID: a ",
        "Call-ID: a;tag=b",
        "Call-ID: a@",
        "Call-ID: @a",
        "Call-ID: a@b@c",
        "Call-ID: a\u{d7}",
        "ix: a",
        "Subject: x\r\n Call-ID: a",
        "Subject: x\r\n\tCall-ID: a",
        "Subject: x Call-ID: a",
        "xCall-ID: a",
    ] {
        assert_eq!(of_line(line), "", "{line:?}");
    }
    // The first line is no header, and a header has an end.
    assert_eq!(call_id(format!("Call-ID: a{END}")), "");
    assert_eq!(call_id(format!("{BEGIN}Call-ID: a")), "");
    for short in ["", "i", "\r\ni:", "\r\ni:\r\n"] {
        assert_eq!(call_id(short), "", "{short:?}");
    }
}

#[test]
fn the_characters_of_a_word_are_those_of_rfc_3261() {
    let word = "-.!%*_+`'~()<>:\\\"/[]?{}";
    for byte in 1..=u8::MAX {
        let message = [BEGIN.as_bytes(), b"i:a", &[byte], b"b\r\n"].concat();
        let (_, text) = read_from(&memory(), &message, Address::default());
        let letter = byte.is_ascii_alphanumeric() || byte >= 0xc0 && byte != 0xd7 && byte != 0xf7;
        let domain = byte == b'@';
        let expected: &[u8] = if letter || domain || word.as_bytes().contains(&byte) {
            &[b'a', byte, b'b']
        } else if byte == b'\r' || byte == b'\n' {
            b"a"
        } else {
            b""
        };
        assert_eq!(text, expected, "{byte:#x}");
    }
}

#[test]
fn a_call_id_may_be_long_and_lie_anywhere() {
    for length in [1, 7, 8, 9, LONGEST] {
        let id = "x".repeat(length);
        for before in 0..20 {
            let filler = "y".repeat(before);
            let message = format!("{BEGIN}X: {filler}\r\nCall-ID: {id}\r\n");
            assert_eq!(call_id(message), id, "{length} bytes after {before}");
        }
    }
    assert_eq!(of_line(&format!("i: {}", "x".repeat(LONGEST + 1))), "");
    let far = format!("X: {}\r\ni: far", "z".repeat(60_000));
    assert_eq!(of_line(&far), "far");
}

#[test]
fn a_call_is_told_by_its_client_and_its_whole_call_id() {
    let memory = memory();
    let of = |id: &str, client| {
        let message = format!("{BEGIN}Call-ID: {id}{END}");
        read_from(&memory, message.as_bytes(), Address([client, 7])).0
    };
    let call = of("one@a", 1);
    assert_eq!(of("one@a", 1), call);
    for (id, client) in [
        ("one@a", 2),
        ("One@a", 1),
        ("one@", 1),
        ("one@aa", 1),
        ("one", 1),
    ] {
        assert_ne!(of(id, client), call, "{id} of {client}");
    }
    // The second half of an address does not count under this service's mask.
    let message = format!("{BEGIN}i:one@a{END}");
    let other = read_from(&memory, message.as_bytes(), Address([1, 8])).0;
    assert_eq!(other, call);
    // Nor does what is passed over.
    let (passed, _) = read_from(
        &memory,
        format!("{BEGIN}i:x@\r\ni:one@a{END}").as_bytes(),
        Address([1, 7]),
    );
    assert_eq!(passed, call);
}
