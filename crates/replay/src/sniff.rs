//! Says what bytes look like that are no transport stream, and what to change.

/// A guess at what arrived, in words for the user.
pub(crate) fn sniff(head: &[u8]) -> String {
    match kind(head) {
        Some(kind) => format!(
            "received {kind}, not MPEG-TS: in OBS, Settings > Output > Recording, set Type to Custom Output (FFmpeg) \
             and Container Format to mpegts; with ffmpeg, write with -f mpegts"
        ),
        None => "what arrives is not MPEG-TS: in OBS, Settings > Output > Recording, set Type to Custom Output (FFmpeg) \
             and Container Format to mpegts; with ffmpeg, write with -f mpegts"
            .to_owned(),
    }
}

fn kind(head: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    Some(match () {
        () if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) => "Matroska or WebM",
        () if at(4, b"ftyp")
            || at(4, b"moov")
            || at(4, b"moof")
            || at(4, b"mdat")
            || at(4, b"styp") =>
        {
            "MP4 or MOV"
        }
        () if at(0, b"FLV") => "FLV",
        () if at(0, b"RIFF") && at(8, b"AVI ") => "AVI",
        () if at(0, b"RIFF") => "a RIFF file, WAV for one",
        () if at(0, b"OggS") => "Ogg",
        () if at(0, b"nut/multimedia container") => "NUT",
        () if at(0, &[0, 0, 1, 0xba]) => "an MPEG program stream",
        () if at(0, b"GET ")
            || at(0, b"POST ")
            || at(0, b"PUT ")
            || at(0, b"OPTIONS ")
            || at(0, b"HEAD ") =>
        {
            "an HTTP request (this port takes a plain TCP stream)"
        }
        () if at(0, b"SSH-") || at(0, &[0x16, 0x03]) => "another protocol (TLS or SSH)",
        () if at(0, &[0x03, 0, 0, 0, 0]) => "RTMP (use a plain tcp:// address)",
        () if spaced(head, 192) => "MPEG-TS in packets of 192 bytes (M2TS)",
        () if spaced(head, 204) => "MPEG-TS in packets of 204 bytes",
        () if at(0, &[0, 0, 0, 1]) || at(0, &[0, 0, 1]) => {
            "a raw video stream (H.264 or HEVC without a container)"
        }
        () if head.len() > 1 && head[0] == 0xff && head[1] & 0xf6 == 0xf0 => "raw AAC (ADTS)",
        () if !head.is_empty()
            && head
                .iter()
                .all(|&byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)) =>
        {
            "text"
        }
        () => return None,
    })
}

/// Whether sync bytes come at a distance of `len`, from some place on.
fn spaced(head: &[u8], len: usize) -> bool {
    (0..len).any(|start| {
        let mut marks = head.iter().skip(start).step_by(len);
        head.len() >= start + 4 * len && marks.all(|&byte| byte == 0x47)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_it_sees() {
        let m2ts: Vec<u8> = (0..10)
            .flat_map(|_| [vec![1, 2, 3, 4, 0x47], vec![0x11; 187]].concat())
            .collect();
        let cases: [(&[u8], &str); 10] = [
            (&[0x1a, 0x45, 0xdf, 0xa3, 1, 2], "Matroska"),
            (b"\0\0\0\x20ftypisom", "MP4"),
            (b"FLV\x01\x05", "FLV"),
            (&[0, 0, 0, 1, 0x67, 0x64], "raw video"),
            (&[0, 0, 1, 0x09], "raw video"),
            (b"hello, is anybody there?\n", "text"),
            ("Grüße\n".as_bytes(), "text"),
            (b"GET / HTTP/1.1\r\n", "HTTP request"),
            (&m2ts, "192 bytes"),
            (&[0xff, 0xf1, 0x50, 0x80], "AAC"),
        ];
        for (head, expected) in cases {
            let hint = sniff(head);
            assert!(hint.contains(expected), "{hint}");
            assert!(hint.contains("Container Format to mpegts"), "{hint}");
        }
        assert!(sniff(&[0, 1, 2, 3]).starts_with("what arrives is not MPEG-TS"));
    }
}
