//! Wanted state: services, real servers, validation, numbering; no I/O.
