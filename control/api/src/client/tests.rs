//! The client against a socket that plays back recorded answers.

use std::{
    io::{Read, Write},
    os::linux::net::SocketAddrExt,
    os::unix::net::{SocketAddr, UnixListener},
    thread::JoinHandle,
};

use ferrovs_model::{Refusal, Sysctls, Timeouts};

use super::*;

/// Listens under a name of its own and answers each request with the next of `answers`; gives back
/// the requests.
fn answering(test: &str, answers: &[String]) -> (Vec<u8>, JoinHandle<Vec<String>>) {
    let name = format!("ferrovs-test-{test}-{}", std::process::id()).into_bytes();
    let listener =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let answers = answers.to_vec();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        answers
            .iter()
            .map(|answer| {
                let request = read_request(&mut stream);
                stream.write_all(answer.as_bytes()).unwrap();
                request
            })
            .collect()
    });
    (name, server)
}

fn read_request(stream: &mut impl Read) -> String {
    let mut request = String::new();
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).unwrap();
        request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() == length {
            return request;
        }
    }
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn nobody_listening_is_told_from_other_failures() {
    let error = Client::connect_to(b"ferrovs-test-nobody").unwrap_err();
    assert!(matches!(error, ClientError::NotRunning), "{error}");
}

#[test]
fn one_connection_serves_several_questions() {
    let services = r#"{"services":[],"timeouts":{"tcp":900,"tcp_fin":120,"udp":300}}"#;
    let (name, server) = answering(
        "several",
        &[answer("200 OK", "{}"), answer("200 OK", services)],
    );
    let mut client = Client::connect_to(&name).unwrap();
    client.apply(&[Change::Clear]).unwrap();
    let expected = Services {
        services: Vec::new(),
        timeouts: Timeouts::default(),
        sysctls: Sysctls::default(),
        pool: Vec::new(),
        snat: None,
        total: crate::Traffic::default(),
    };
    assert_eq!(client.services().unwrap(), expected);
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("POST /v1/changes HTTP/1.1\r\n"));
    assert!(requests[0].ends_with("\r\n\r\n[{\"change\":\"clear\"}]"));
    assert!(requests[1].starts_with("GET /v1/services HTTP/1.1\r\n"));
}

#[test]
fn a_refusal_names_the_change() {
    let refused = r#"{"index":1,"refusal":"service_exists","message":"Service already exists"}"#;
    let (name, server) = answering("refusal", &[answer("409 Conflict", refused)]);
    let error = Client::connect_to(&name)
        .unwrap()
        .apply(&[Change::Clear, Change::Clear])
        .unwrap_err();
    assert_eq!(error.to_string(), "Service already exists");
    let ClientError::Refused(refused) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (refused.index, refused.refusal),
        (1, Refusal::ServiceExists)
    );
    server.join().unwrap();
}

#[test]
fn changes_for_themselves_may_be_refused_one_by_one() {
    let refused = r#"[{"index":1,"refusal":"service_exists","message":"Service already exists"}]"#;
    let (name, server) = answering("each", &[answer("200 OK", refused)]);
    let mut client = Client::connect_to(&name).unwrap();
    let refused = client.apply_each(&[Change::Clear, Change::Clear]).unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].index, 1);
    let requests = server.join().unwrap();
    assert!(requests[0].starts_with("POST /v1/changes/each HTTP/1.1\r\n"));
}

#[test]
fn flows_come_in_chunks_and_a_cut_stream_is_an_error() {
    let line = r#"{"protocol":"tcp","expires":9,"state":"NONE","client":"10.0.0.1:1","virtual":"10.0.0.2:2","destination":"10.0.0.3:3"}"#;
    let chunk = format!("{:x}\r\n{line}\n\r\n", line.len() + 1);
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for (test, tail, good) in [("whole", "0\r\n\r\n", true), ("cut", "", false)] {
        let (name, server) = answering(test, &[format!("{head}{chunk}{chunk}{tail}")]);
        let mut seen = 0;
        let result = Client::connect_to(&name).unwrap().flows(&mut |flow| {
            assert_eq!(flow.expires, 9);
            seen += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(seen, 2);
        assert_eq!(result.is_ok(), good, "{test}: {result:?}");
        server.join().unwrap();
    }
}

#[test]
fn a_listener_that_is_not_ferrovs_is_noticed() {
    let (name, server) = answering("stranger", &["220 mail ready\r\n\r\n".to_owned()]);
    let error = Client::connect_to(&name).unwrap().status().unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
    server.join().unwrap();
}

#[test]
fn failures_are_told_in_the_daemons_words() {
    let body = r#"{"message":"only root may ask"}"#;
    let (name, server) = answering(
        "failures",
        &[
            answer("403 Forbidden", body),
            answer("500 Internal Server Error", body),
        ],
    );
    let mut client = Client::connect_to(&name).unwrap();
    let forbidden = client.down().unwrap_err();
    assert_eq!(forbidden.to_string(), "only root may ask");
    let failed = client.down().unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the ferrovs daemon could not do it: only root may ask"
    );
    server.join().unwrap();
}
