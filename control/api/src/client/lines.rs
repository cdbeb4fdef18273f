//! A streamed body, cut into flows.

use std::{io::BufRead, ops::ControlFlow};

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::ClientError;
use crate::FlowView;

/// Hands each line of `body` to `each`. Memory stays at one frame of the body and one line,
/// whatever the number of lines.
pub(super) async fn for_each_line(
    mut body: Incoming,
    each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
) -> Result<(), ClientError> {
    let mut begun = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if take_lines(&mut begun, &data, each)?.is_break() {
            return Ok(());
        }
    }
    if begun.is_empty() {
        Ok(())
    } else {
        Err(ClientError::Protocol("the last line has no end".to_owned()))
    }
}

/// Hands on all lines that end in `data`; `begun` is the line that began before it, and is left as
/// the one that goes on after it.
fn take_lines(
    begun: &mut Vec<u8>,
    mut data: &[u8],
    each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, ClientError> {
    loop {
        data.read_until(b'\n', begun).map_err(ClientError::Io)?;
        if !begun.ends_with(b"\n") {
            return Ok(ControlFlow::Continue(()));
        }
        // Checked as a whole, which is faster than word by word.
        let line = str::from_utf8(begun).map_err(unreadable)?;
        let flow = serde_json::from_str(line).map_err(unreadable)?;
        if each(flow).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        begun.clear();
    }
}

fn unreadable(error: impl ToString) -> ClientError {
    ClientError::Protocol(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = concat!(
        r#"{"protocol":"tcp","expires":1,"state":"NONE","client":"10.0.0.1:1","virtual":"10.0.0.2:2","destination":"10.0.0.3:3"}"#,
        "\n",
        r#"{"protocol":"udp","expires":2,"state":"UDP","client":"10.0.0.1:1","virtual":"10.0.0.2:2","destination":"10.0.0.3:3"}"#,
        "\n",
    );

    fn seconds(chunk: usize, stop_after: usize) -> Vec<u32> {
        let mut seen = Vec::new();
        let mut begun = Vec::new();
        for data in LINES.as_bytes().chunks(chunk) {
            let mut each = |flow: FlowView<'_>| {
                seen.push(flow.expires);
                if seen.len() == stop_after {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            if take_lines(&mut begun, data, &mut each).unwrap().is_break() {
                return seen;
            }
        }
        assert_eq!(begun, b"");
        seen
    }

    #[test]
    fn lines_are_found_however_the_body_is_cut() {
        for chunk in 1..=LINES.len() {
            assert_eq!(seconds(chunk, 9), [1, 2], "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_break_ends_it() {
        assert_eq!(seconds(LINES.len(), 1), [1]);
    }

    #[test]
    fn a_line_that_is_no_flow_is_an_error() {
        let mut each = |_: FlowView<'_>| ControlFlow::Continue(());
        let error = take_lines(&mut Vec::new(), b"nonsense\n", &mut each).unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)));
    }
}
