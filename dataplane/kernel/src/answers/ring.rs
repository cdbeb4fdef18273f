//! Reading a `BPF_MAP_TYPE_RINGBUF` (Documentation/bpf/ringbuf.rst): two positions that only grow, and
//! the records between them, mapped twice in a row so that none is ever cut.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

use ferrovs_core::abi::answer::{INTERFACE, PACKET, QUOTE, REQUEST, Request, WORDS};

use super::Answer;
use crate::sys;

/// `BPF_RINGBUF_BUSY_BIT`: the record is still being written.
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`: it was given up.
const DISCARDED: u32 = 1 << 30;
/// Bytes before each record: its length, of four bytes, and four of the kernel's own.
const HEADER: usize = 8;

/// A mapped ring.
#[derive(Debug)]
pub(super) struct Ring {
    map: OwnedFd,
    page: usize,
    /// Bytes of records there is room for, a power of two.
    room: usize,
    /// Our position, one page.
    consumer: NonNull<AtomicUsize>,
    /// The kernel's position, one page, and then the records, twice.
    producer: NonNull<AtomicUsize>,
}

// SAFETY: the memory is shared with the kernel; positions are atomics, and records are read by whoever has
// the ring for himself.
unsafe impl Send for Ring {}

impl Ring {
    pub(super) fn map(map: BorrowedFd<'_>) -> io::Result<Self> {
        let room = sys::map_info(map)?.max_entries as usize;
        // SAFETY: no addresses in it.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).map_err(|_| io::Error::last_os_error())?;
        let consumer = pages(map, 0, page, libc::PROT_READ | libc::PROT_WRITE)?;
        let producer = pages(map, page, page + 2 * room, libc::PROT_READ);
        let producer = producer.inspect_err(|_| unmap(consumer, page))?;
        let kept = map.try_clone_to_owned().inspect_err(|_| {
            unmap(consumer, page);
            unmap(producer, page + 2 * room);
        })?;
        Ok(Self {
            map: kept,
            page,
            room,
            consumer,
            producer,
        })
    }

    /// Readable when there is a record.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Goes past all records there are.
    pub(super) fn skip_all(&mut self) {
        self.set_position(self.end());
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Option<Answer> {
        loop {
            let at = self.position();
            if at >= self.end() {
                return None;
            }
            let start = at & (self.room - 1);
            // SAFETY: a header is wholly inside the mapping, because it begins in its first copy.
            let header = unsafe { AtomicU32::from_ptr(self.record(start).cast_mut().cast()) };
            let header = header.load(Ordering::Acquire);
            if header & BUSY != 0 {
                return None;
            }
            let length = (header & !(BUSY | DISCARDED)) as usize;
            let answer = (header & DISCARDED == 0 && length == WORDS * 8)
                // SAFETY: so many bytes lie behind the header, and nobody writes them until the position
                // has gone past them.
                .then(|| unsafe { read(self.record(start + HEADER)) });
            self.set_position(at + (HEADER + length).next_multiple_of(8));
            if answer.is_some() {
                return answer;
            }
        }
    }

    /// The byte at this offset of the records.
    fn record(&self, offset: usize) -> *const u8 {
        // SAFETY: callers stay within both copies.
        unsafe { self.producer.cast::<u8>().add(self.page + offset) }.as_ptr()
    }

    fn position(&self) -> usize {
        // SAFETY: the first word of the mapping, which lives as long as `self`.
        unsafe { self.consumer.as_ref() }.load(Ordering::Relaxed)
    }

    fn set_position(&mut self, position: usize) {
        // SAFETY: as above.
        unsafe { self.consumer.as_ref() }.store(position, Ordering::Release);
    }

    fn end(&self) -> usize {
        // SAFETY: as above.
        unsafe { self.producer.as_ref() }.load(Ordering::Acquire)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        unmap(self.consumer, self.page);
        unmap(self.producer, self.page + 2 * self.room);
    }
}

/// The record at this address.
///
/// # Safety
/// A whole record lies there, and is not written meanwhile.
unsafe fn read(record: *const u8) -> Answer {
    let record: *const u64 = record.cast();
    // SAFETY: as the caller promises; records are aligned to eight bytes.
    let (request, interface) = unsafe { (*record.add(REQUEST), *record.add(INTERFACE)) };
    let request = Request(request);
    let length = request.quoted().min(QUOTE);
    // SAFETY: as above.
    let packet = unsafe { std::slice::from_raw_parts(record.add(PACKET).cast::<u8>(), length) };
    Answer {
        request,
        interface: interface as u32,
        packet: packet.to_vec(),
    }
}

fn pages(
    map: BorrowedFd<'_>,
    offset: usize,
    length: usize,
    access: libc::c_int,
) -> io::Result<NonNull<AtomicUsize>> {
    // SAFETY: a fresh mapping at an address of the kernel's choice.
    let memory = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            access,
            libc::MAP_SHARED,
            map.as_raw_fd(),
            offset as libc::off_t,
        )
    };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(memory.cast()).ok_or(io::ErrorKind::InvalidData)?)
}

fn unmap(memory: NonNull<AtomicUsize>, length: usize) {
    // SAFETY: a mapping made by `pages` of this length, which nobody uses any more.
    unsafe { libc::munmap(memory.as_ptr().cast(), length) };
}
