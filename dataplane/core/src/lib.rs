#![no_std]
//! Decides about one packet: no_std, no alloc, no dependencies, no unsafe.
