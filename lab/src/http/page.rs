//! The home pages of the real servers.

use std::{net::IpAddr, str::FromStr};

const BEFORE: &str = "<h1>This is real server ";

/// The home page of the real server with this address: one line of HTML.
///
/// It carries an empty icon, because a browser that asks for one opens a connection, and the
/// director would schedule it like a page.
pub fn page(server: impl Into<IpAddr>) -> String {
    let server = server.into();
    format!(
        "<!doctype html><html><head><title>Real server {server}</title>\
         <link rel=\"icon\" href=\"data:,\"></head><body>{BEFORE}{server}</h1></body></html>\n"
    )
}

/// Which real server's [`page`] this is, if its address is of this family.
pub fn server_of<A: FromStr>(page: &str) -> Option<A> {
    let (_, after) = page.split_once(BEFORE)?;
    after.split_once('<')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_page_names_its_server() {
        let server = Ipv4Addr::new(192, 168, 2, 143);
        assert_eq!(server_of(&page(server)), Some(server));
        assert_eq!(server_of::<IpAddr>("<h1>Welcome to nginx</h1>"), None);
    }
}
