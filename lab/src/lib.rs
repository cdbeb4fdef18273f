//! Network namespaces, links, servers, traffic and captures for the demonstration and the tests.
