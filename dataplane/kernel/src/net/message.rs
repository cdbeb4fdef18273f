//! Error messages of netlink, with the explanations that the kernel adds to some (extended ACK).

use std::io;

/// Bytes of the error number and of the request's header that follows it.
const FIXED: usize = 4 + 16;
/// `NLMSGERR_ATTR_MSG`.
const TEXT: u16 = 1;

/// Turns the payload of an error message into an error. Number 0 is an acknowledgement.
pub(super) fn check(payload: &[u8]) -> io::Result<()> {
    let Some(number) = payload.first_chunk::<4>() else {
        return Err(io::Error::from(io::ErrorKind::InvalidData));
    };
    let number = i32::from_ne_bytes(*number);
    if number == 0 {
        return Ok(());
    }
    let error = io::Error::from_raw_os_error(number.wrapping_neg());
    match explanation(payload) {
        Some(text) => Err(io::Error::new(error.kind(), Explained { text, error })),
        None => Err(error),
    }
}

/// The error number in an error of [`check`].
pub(crate) fn errno(error: &io::Error) -> Option<i32> {
    let explained = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Explained>());
    match explained {
        Some(explained) => explained.error.raw_os_error(),
        None => error.raw_os_error(),
    }
}

/// An error number and the kernel's words about it.
#[derive(Debug, thiserror::Error)]
#[error("{text} ({error})")]
struct Explained {
    text: String,
    error: io::Error,
}

/// The text attribute. The request itself stands before it, whole or only its header; where the
/// attributes begin is seen by whether they make sense.
fn explanation(payload: &[u8]) -> Option<String> {
    let request = payload.get(4..8).and_then(|length| length.try_into().ok());
    let whole = u32::from_ne_bytes(request?) as usize;
    [FIXED, 4 + whole.next_multiple_of(4)]
        .into_iter()
        .find_map(|start| text_attribute(payload.get(start..)?))
}

fn text_attribute(bytes: &[u8]) -> Option<String> {
    let (_, value) = attributes(bytes).find(|&(kind, _)| kind == TEXT)?;
    let text = value.strip_suffix(&[0]).unwrap_or(value);
    String::from_utf8(text.to_vec()).ok()
}

/// Kinds and values of a run of attributes.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let &[l0, l1, k0, k1] = rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([k0, k1]), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: i32, text: &str) -> Vec<u8> {
        let mut payload = number.to_ne_bytes().to_vec();
        // The request: a header and four bytes.
        payload.extend(20_u32.to_ne_bytes());
        payload.extend([0; 16]);
        payload.extend((4 + text.len() as u16 + 1).to_ne_bytes());
        payload.extend(TEXT.to_ne_bytes());
        payload.extend(text.as_bytes());
        payload.push(0);
        payload
    }

    #[test]
    fn the_kernels_words_are_found() {
        let error = check(&message(-libc::EBUSY, "XDP program already attached")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("XDP program already attached"),
            "{error}"
        );
        assert_eq!(errno(&error), Some(libc::EBUSY));
    }

    #[test]
    fn an_acknowledgement_is_no_error() {
        assert!(check(&message(0, "")).is_ok());
        let bare = [(-libc::ENODEV).to_ne_bytes().as_slice(), &[0; 16]].concat();
        assert_eq!(errno(&check(&bare).unwrap_err()), Some(libc::ENODEV));
    }
}
