//! One file for each recording.

mod b01_sched;
mod b02_hash;
mod b03_persist;
mod b04_midrun;
mod b05_thresholds;
mod b06_udp;
mod b09_noserver;
