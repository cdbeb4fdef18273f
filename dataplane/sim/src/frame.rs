//! A packet as a slice of bytes.

use ferrovs_core::{
    frame::{ChecksumChange, Frame},
    method::tunnel::Room,
    nat::checksum,
};

/// A frame from its first byte, checksums complete, as a driver hands it to XDP; or as tc sees it, where that of
/// SCTP may be left to the device (not `COMPLETE`).
#[derive(Debug)]
pub struct SliceFrame<'a, const COMPLETE: bool = true>(&'a mut Vec<u8>, u32);

impl<'a> SliceFrame<'a> {
    /// The frame that these bytes are. It is rewritten in place, and may become longer.
    pub const fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes, 0)
    }
}

impl<'a> SliceFrame<'a, false> {
    /// The same, as tc sees it.
    pub const fn of_skb(bytes: &'a mut Vec<u8>) -> Self {
        Self(bytes, 0)
    }
}

impl<const COMPLETE: bool> SliceFrame<'_, COMPLETE> {
    /// The same, with this mark.
    #[must_use]
    pub const fn with_mark(self, mark: u32) -> Self {
        Self(self.0, mark)
    }

    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..)?.first_chunk().copied()
    }

    fn write<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) -> Option<()> {
        *self.0.get_mut(offset..)?.first_chunk_mut()? = bytes;
        Some(())
    }
}

impl<const COMPLETE: bool> Frame for SliceFrame<'_, COMPLETE> {
    const COMPLETE: bool = COMPLETE;

    fn mark(&self) -> u32 {
        self.1
    }

    fn read_u16(&self, offset: usize) -> Option<u16> {
        self.read(offset).map(u16::from_ne_bytes)
    }

    fn read_u32(&self, offset: usize) -> Option<u32> {
        self.read(offset).map(u32::from_ne_bytes)
    }

    fn read_u64(&self, offset: usize) -> Option<u64> {
        self.read(offset).map(u64::from_ne_bytes)
    }

    fn write_u16(&mut self, offset: usize, value: u16) -> Option<()> {
        self.write(offset, value.to_ne_bytes())
    }

    fn write_u32(&mut self, offset: usize, value: u32) -> Option<()> {
        self.write(offset, value.to_ne_bytes())
    }

    fn write_u64(&mut self, offset: usize, value: u64) -> Option<()> {
        self.write(offset, value.to_ne_bytes())
    }

    fn varying(&mut self) -> impl Frame {
        SliceFrame::<COMPLETE>(self.0, self.1)
    }

    fn read_far(&self, offset: usize) -> Option<u32> {
        self.read_u32(offset)
    }

    fn copy(&self, offset: usize, to: &mut [u8]) -> Option<()> {
        to.copy_from_slice(self.0.get(offset..)?.get(..to.len())?);
        Some(())
    }

    fn segment(&self) -> u32 {
        0
    }

    fn make_room(&mut self, room: Room) -> Option<()> {
        let Room { link, bytes, .. } = room;
        if link > self.0.len() {
            return None;
        }
        self.0.splice(link..link, std::iter::repeat_n(0, bytes));
        Some(())
    }

    fn change_checksum(&mut self, offset: usize, change: ChecksumChange) -> Option<()> {
        let old = self.read_u16(offset)?;
        self.write_u16(offset, checksum::change(old, change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_that_is_not_wholly_inside_changes_nothing() {
        let mut bytes = vec![1, 2, 3, 4];
        let mut frame = SliceFrame::new(&mut bytes);
        assert_eq!(frame.read_u32(0), Some(u32::from_ne_bytes([1, 2, 3, 4])));
        assert_eq!(frame.read_u16(2), Some(u16::from_ne_bytes([3, 4])));
        assert_eq!(frame.read_u16(3), None);
        assert_eq!(frame.read_u16(usize::MAX), None);
        assert_eq!(frame.read_u64(0), None);
        assert_eq!(frame.write_u32(1, 0), None);
        assert_eq!(frame.write_u16(2, 0), Some(()));
        assert_eq!(bytes, [1, 2, 0, 0]);
    }
}
