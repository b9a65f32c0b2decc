//! Silence, encoded: for a feed whose picture goes on without sound.
//!
//! A player that was told of a sound stream waits for it before it shows a picture. In slow motion there
//! is nothing to send but silence, and it has to be of the same format.

use super::{audio_duration, mpeg};
use crate::Codec;
use crate::bits::Written;

/// One frame of silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// The content of a PES packet.
    pub payload: Vec<u8>,
    /// How long it lasts, in ticks of 90 kHz.
    pub ticks: i64,
}

/// A frame of silence for the stream that `payload` is the start of a PES payload of.
///
/// `None` where there is none to be had: AC-3, LATM, AAC whose channels are told within, and payloads
/// that do not begin with a frame.
#[must_use]
pub fn silence(codec: Codec, payload: &[u8]) -> Option<Silence> {
    let payload = match codec {
        Codec::AacAdts => aac(payload)?,
        Codec::MpegAudio => mpeg(payload)?,
        Codec::Opus => OPUS.to_vec(),
        _ => return None,
    };
    let ticks = audio_duration(codec, &payload)?;
    Some(Silence { payload, ticks })
}

/// Behind the control header (prefix and size): a packet of one 20 ms frame, fullband CELT, mono; a decoder
/// takes it in a stereo stream as well (RFC 6716, 3.1). The frame is the silence flag.
const OPUS: [u8; 6] = [0x7f, 0xe0, 3, 0xf8, 0xff, 0xfe];

/// Elements of a raw data block (14496-3, table 4.85).
const SINGLE: u8 = 0;
const PAIR: u8 = 1;
const LOW_FREQUENCY: u8 = 3;
const END: u8 = 7;

/// The elements of each channel configuration (14496-3, table 1.19).
const ELEMENTS: [&[u8]; 8] = [
    &[],
    &[SINGLE],
    &[PAIR],
    &[SINGLE, PAIR],
    &[SINGLE, PAIR, SINGLE],
    &[SINGLE, PAIR, PAIR],
    &[SINGLE, PAIR, PAIR, LOW_FREQUENCY],
    &[SINGLE, PAIR, PAIR, PAIR, LOW_FREQUENCY],
];

const ADTS_LEN: usize = 7;

fn aac(payload: &[u8]) -> Option<Vec<u8>> {
    let &[0xff, b1, b2, b3, ..] = payload else {
        return None;
    };
    if b1 & 0xf6 != 0xf0 {
        return None;
    }
    let elements = ELEMENTS
        .get(usize::from((b2 & 1) << 2 | b3 >> 6))
        .filter(|elements| !elements.is_empty())?;
    // Each kind of element counts its own.
    let mut tags = [0; 4];
    let mut block = Written::default();
    for &element in *elements {
        let tag = &mut tags[usize::from(element)];
        block = block.fields(&[(3, element.into()), (4, *tag)]);
        *tag += 1;
        block = match element {
            // common_window, and the channels share ics_info; ms_mask_present.
            PAIR => block
                .fields(&[(1, 1)])
                .fields(&ICS_INFO)
                .fields(&[(2, 0)])
                .fields(&GAIN)
                .fields(&TOOLS)
                .fields(&GAIN)
                .fields(&TOOLS),
            _ => block.fields(&GAIN).fields(&ICS_INFO).fields(&TOOLS),
        };
    }
    let block = block.fields(&[(3, END.into())]).bytes();
    let len = ADTS_LEN + block.len();
    // Without checksum; of unknown fullness; one block.
    let mut frame = vec![
        0xff,
        b1 | 1,
        b2,
        b3 & 0xf0 | (len >> 11) as u8,
        (len >> 3) as u8,
        (len << 5) as u8 | 0x1f,
        0xfc,
    ];
    frame.extend(block);
    Some(frame)
}

/// One long sine window without a scale factor band: reserved bit, window_sequence, window_shape, max_sfb,
/// predictor_data_present.
const ICS_INFO: [(u32, u32); 5] = [(1, 0), (2, 0), (1, 0), (6, 0), (1, 0)];

/// global_gain.
const GAIN: [(u32, u32); 1] = [(8, 0)];

/// Pulse data, temporal noise shaping and gain control are absent.
const TOOLS: [(u32, u32); 3] = [(1, 0), (1, 0), (1, 0)];

/// The same header over zeros: no bits are allocated to any band (layers 1 and 2), no main data (layer 3).
fn mpeg(payload: &[u8]) -> Option<Vec<u8>> {
    let &[b0, b1, b2, b3, ..] = payload else {
        return None;
    };
    let (len, _) = mpeg::header(payload)?;
    // Without checksum.
    let mut frame = vec![b0, b1 | 1, b2, b3];
    frame.resize(len, 0);
    Some(frame)
}
