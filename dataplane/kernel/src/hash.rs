//! Hash maps that grow. The kernel makes a map's buckets when it makes the map, for all keys that it may ever
//! have, so a map for few is made, and a larger one in its place when it is full.
//!
//! The programs find the map in an array of one. Only the daemon writes it, and only one of its threads: while
//! keys are copied nothing else changes.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::sys::{self, MapInfo, NewMap};

/// How many times as many keys the next map is made for.
const GROWTH: u32 = 4;

/// A map from keys of type `K` to words.
#[derive(Debug)]
pub(crate) struct Hash<K> {
    /// The array in which the map is.
    outer: OwnedFd,
    map: Mutex<OwnedFd>,
    key: std::marker::PhantomData<fn(K)>,
}

impl<K: Copy + Default> Hash<K> {
    /// The map that is in this array.
    ///
    /// # Errors
    /// When there is none, or its keys are no `K`.
    pub(crate) fn open(outer: OwnedFd) -> io::Result<Self> {
        // SAFETY: keys and values of an array of maps are four bytes.
        let id = unsafe { sys::lookup::<u32, u32>(outer.as_fd(), &0) }?;
        let map = sys::map_by_id(id.ok_or(io::ErrorKind::InvalidData)?)?;
        let info = sys::map_info(map.as_fd())?;
        let sizes = (info.key_size as usize, info.value_size as usize);
        if sizes != (size_of::<K>(), size_of::<u64>()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self {
            outer,
            map: Mutex::new(map),
            key: std::marker::PhantomData,
        })
    }

    /// What is stored under a key.
    pub(crate) fn get(&self, key: &K) -> io::Result<Option<u64>> {
        // SAFETY: keys are of this type, values words.
        unsafe { sys::lookup(self.map().as_fd(), key) }
    }

    /// Stores a value under a key.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn set(&self, key: &K, value: u64) -> io::Result<()> {
        let mut map = self.map();
        // SAFETY: as in `get`.
        let set = unsafe { sys::update(map.as_fd(), key, &value, false) };
        match set {
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => {
                let larger = larger(&map)?;
                // SAFETY: as above.
                for (key, value) in unsafe { sys::entries::<K, u64>(map.as_fd()) }? {
                    // SAFETY: it is a map of the same keys and values.
                    unsafe { sys::update(larger.as_fd(), &key, &value, false) }?;
                }
                // SAFETY: as above.
                unsafe { sys::update(larger.as_fd(), key, &value, false) }?;
                sys::put_map(self.outer.as_fd(), 0, larger.as_fd())?;
                *map = larger;
                Ok(())
            }
            other => other,
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&self, key: &K) -> io::Result<()> {
        // SAFETY: as in `get`.
        unsafe { sys::delete(self.map().as_fd(), key) }.map(drop)
    }

    /// All keys and their values.
    pub(crate) fn entries(&self) -> io::Result<Vec<(K, u64)>> {
        // SAFETY: as in `get`.
        unsafe { sys::entries(self.map().as_fd()) }
    }

    /// Bytes that it takes now.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        sys::map_memory(self.map().as_fd())
    }

    fn map(&self) -> MutexGuard<'_, OwnedFd> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A map like this one for more keys.
fn larger(map: &OwnedFd) -> io::Result<OwnedFd> {
    let MapInfo {
        name,
        kind,
        key_size,
        value_size,
        max_entries,
        flags,
        ..
    } = sys::map_info(map.as_fd())?;
    sys::create_map(&NewMap {
        name: &name,
        kind,
        key_size,
        value_size,
        max_entries: max_entries.saturating_mul(GROWTH),
        flags,
        types: None,
        inner: None,
    })
}
