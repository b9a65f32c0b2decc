//! Boxes: what an MP4 is made of (14496-12 4.2).

/// Writes boxes into each other; sizes are filled in when a box is complete.
#[derive(Default)]
pub(crate) struct Boxes {
    bytes: Vec<u8>,
}

impl Boxes {
    /// A box around what `content` writes.
    pub(crate) fn plain(&mut self, kind: &[u8; 4], content: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.u32(0).raw(kind);
        content(self);
        let size = u32::try_from(self.bytes.len() - start);
        let size = size.expect("a header of 4 GiB would be of a clip of years");
        self.bytes[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// A box with version and flags in front.
    pub(crate) fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        content: impl FnOnce(&mut Self),
    ) {
        self.plain(kind, |boxes| {
            boxes.u32(u32::from(version) << 24 | flags);
            content(boxes);
        });
    }

    /// A descriptor (14496-1 8.3.3) around what `content` writes.
    pub(crate) fn descriptor(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        self.u8(tag);
        let start = self.bytes.len();
        self.u8(0);
        content(self);
        let size = self.bytes.len() - start - 1;
        self.bytes[start] = u8::try_from(size)
            .ok()
            .filter(|&size| size < 0x80)
            .expect("descriptors of sound are short");
    }

    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// A field that is longer in version 1 of its box.
    pub(crate) fn sized(&mut self, version: u8, value: u64) -> &mut Self {
        match version {
            0 => self.u32(u32::try_from(value).expect("version 0 is chosen where it fits")),
            _ => self.u64(value),
        }
    }

    pub(crate) fn zeros(&mut self, count: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The version of a box whose longest times are these.
pub(crate) fn version_for(times: &[u64]) -> u8 {
    u8::from(times.iter().any(|&time| time > u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_boxes() {
        let mut boxes = Boxes::default();
        boxes.plain(b"moov", |boxes| {
            boxes.full(b"mvhd", 1, 7, |boxes| {
                boxes.u16(5);
            });
            boxes.descriptor(3, |boxes| {
                boxes.u8(9);
            });
        });
        let expected = [
            &[0, 0, 0, 25][..],
            b"moov",
            &[0, 0, 0, 14],
            b"mvhd",
            &[1, 0, 0, 7, 0, 5],
            &[3, 1, 9],
        ];
        assert_eq!(boxes.into_bytes(), expected.concat());
        assert_eq!(version_for(&[1, u64::from(u32::MAX)]), 0);
        assert_eq!(version_for(&[1, u64::from(u32::MAX) + 1]), 1);
    }
}
