//! The user half of the data plane: load, attach, recover, mapped tables, next hops.
