//! Writing pcap files, the classic format with times in nanoseconds
//! (draft-ietf-opsawg-pcap, section 4 and 5).

use std::{
    io::{self, Write},
    time::Duration,
};

/// Times are in nanoseconds.
const MAGIC: u32 = 0xa1b2_3c4d;
const SNAPLEN: u32 = 256 * 1024;
const LINKTYPE_ETHERNET: u32 = 1;

#[derive(Debug)]
pub(super) struct PcapWriter<W> {
    out: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the header of the file, 24 bytes.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_ne_bytes())?;
        // The version: 2.4.
        out.write_all(&2u16.to_ne_bytes())?;
        out.write_all(&4u16.to_ne_bytes())?;
        // The time zone and the accuracy, which nobody uses.
        out.write_all(&[0; 8])?;
        out.write_all(&SNAPLEN.to_ne_bytes())?;
        out.write_all(&LINKTYPE_ETHERNET.to_ne_bytes())?;
        Ok(Self { out })
    }

    /// Writes a frame behind its header of 16 bytes; `time` since 1970.
    pub(super) fn write(&mut self, time: Duration, frame: &[u8]) -> io::Result<()> {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        for field in [seconds, time.subsec_nanos(), length, length] {
            self.out.write_all(&field.to_ne_bytes())?;
        }
        self.out.write_all(frame)
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_24_and_16_bytes() {
        let mut bytes = Vec::new();
        let mut writer = PcapWriter::new(&mut bytes).unwrap();
        writer.write(Duration::new(7, 9), &[0xaa; 60]).unwrap();
        writer.finish().unwrap();
        assert_eq!(bytes.len(), 24 + 16 + 60);
        assert_eq!(bytes[..4], MAGIC.to_ne_bytes());
        assert_eq!(bytes[24..28], 7u32.to_ne_bytes());
        assert_eq!(bytes[28..32], 9u32.to_ne_bytes());
        assert_eq!(bytes[36..40], 60u32.to_ne_bytes());
    }
}
