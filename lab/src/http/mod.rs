//! A small web server and a small client, HTTP/1.0 and 1.1 (RFC 9112) as far as the stage needs it.
//!
//! The server answers:
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a page that names the server |
//! | `GET /big?bytes=N` | `N` bytes of [`body`], the same from every server |
//! | `PUT` or `POST`, any path | the number of bytes received and their CRC-32 |
//! | `GET /echo` | whatever is sent after the request comes back, until the client ends |
//!
//! and closes each connection after its answer, so that every page load is a connection of its own.

pub mod body;
mod client;
mod message;
mod page;
mod server;

pub use self::{
    client::{Get, Response, Transfer, download, fetch, upload},
    page::{page, server_of},
    server::{Server, serve},
};
