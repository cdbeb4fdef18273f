//! The control socket: types, client and server of the HTTP API.
