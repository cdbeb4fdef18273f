//! The core on plain memory, in virtual time.
