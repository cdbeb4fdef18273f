//! The reader on answers that were recorded from kernels with IPVS, on damaged ones, and on this kernel.

mod damaged;
mod live;
mod playback;
mod recorded;
mod save;
