//! The ports that a client takes where its script names none.

use std::{env, fs, io, path::PathBuf};

/// The first, which is also the first of those that Linux would take.
pub(crate) const FIRST: u16 = 32_768;

/// Ports in turn, through all clients of a scenario. The kernel would take them at random, and a server that
/// remembers a connection from the same port answers otherwise than one that does not.
pub(super) struct Ports(Option<PathBuf>);

impl Ports {
    /// Goes on where the file says that `NT_PORTS` names; without it ports are left to the kernel.
    pub(super) fn open() -> Self {
        Self(env::var_os("NT_PORTS").map(PathBuf::from))
    }

    /// The next one; 0 leaves it to the kernel.
    pub(super) fn next(&self) -> io::Result<u16> {
        let Some(file) = &self.0 else {
            return Ok(0);
        };
        let port = match fs::read_to_string(file) {
            Ok(text) => text.parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => FIRST,
            Err(error) => return Err(error),
        };
        fs::write(file, (port + 1).to_string())?;
        Ok(port)
    }
}
