//! Arrays of lines as memory: the daemon reads and writes what the programs read and write.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use ferrovs_core::{
    abi::{LINE_BYTES, WORDS},
    tables::Line,
};

use crate::sys;

/// A mapped array of lines.
#[derive(Debug)]
pub(crate) struct Lines {
    memory: NonNull<[AtomicU64; WORDS]>,
    count: u32,
}

// SAFETY: the memory is shared with the kernel and other processes anyway; all access is atomic.
unsafe impl Send for Lines {}
// SAFETY: as above.
unsafe impl Sync for Lines {}

impl Lines {
    /// Maps an array with `BPF_F_MMAPABLE` whose values are lines.
    pub(crate) fn map(array: BorrowedFd<'_>) -> io::Result<Self> {
        let info = sys::map_info(array)?;
        if info.value_size as usize != LINE_BYTES {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let length = info.max_entries as usize * LINE_BYTES;
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                array.as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            memory,
            count: info.max_entries,
        })
    }

    /// How many lines there are.
    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// Bytes that it takes.
    pub(crate) const fn bytes(&self) -> u64 {
        self.count as u64 * LINE_BYTES as u64
    }

    /// The line with this number.
    pub(crate) fn get(&self, number: u32) -> Option<Words<'_>> {
        if number >= self.count {
            return None;
        }
        // SAFETY: within the mapping, which lives as long as `self`; page-aligned, and any bytes are
        // atomics.
        Some(Words(unsafe { self.memory.add(number as usize).as_ref() }))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let length = self.count as usize * LINE_BYTES;
        // SAFETY: the mapping made in `map`; no line borrowed from it is left.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), length) };
    }
}

/// One mapped line.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(&'a [AtomicU64; WORDS]);

impl Line for Words<'_> {
    fn load(self, word: usize) -> u64 {
        self.0[word % WORDS].load(Ordering::Acquire)
    }

    fn store(self, word: usize, value: u64) {
        self.0[word % WORDS].store(value, Ordering::Release);
    }

    fn compare_exchange(self, word: usize, current: u64, new: u64) -> bool {
        self.0[word % WORDS]
            .compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn fetch_add(self, word: usize, value: u64) -> u64 {
        self.0[word % WORDS].fetch_add(value, Ordering::SeqCst)
    }
}
