//! Reads a file back: `mp4-atom` reads the boxes, and what the tables mean is worked out here.

use mp4_atom::{Any, Codec, DecodeMaybe, Moof, Moov, StszSamples, Trak};

/// A track of a file.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) codec: Codec,
    pub(crate) scale: u32,
    pub(crate) language: String,
    pub(crate) samples: Vec<Sample>,
    /// Duration and begin of each edit.
    pub(crate) edits: Vec<(u64, Option<u64>)>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sample {
    pub(crate) bytes: Vec<u8>,
    /// When it is decoded and shown.
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) duration: u32,
    pub(crate) is_key: bool,
}

/// The boxes of a file.
pub(crate) fn boxes(file: &[u8]) -> Vec<Any> {
    let mut rest = file;
    let mut boxes = Vec::new();
    while let Some(atom) = Any::decode_maybe(&mut rest).expect("boxes can be read") {
        boxes.push(atom);
    }
    assert!(rest.is_empty(), "nothing behind the boxes");
    boxes
}

/// The tracks of a file that is `ftyp`, `moov`, `mdat` and nothing else.
pub(crate) fn tracks(file: &[u8]) -> Vec<Track> {
    let boxes = boxes(file);
    let [Any::Ftyp(_), Any::Moov(moov), Any::Mdat(mdat)] = &boxes[..] else {
        panic!("ftyp, moov, mdat: {}", boxes.len());
    };
    let mdat_at = file.len() - mdat.data.len();
    let mut taken = vec![false; mdat.data.len()];
    let tracks = moov.trak.iter().map(|trak| {
        track(trak, file, |bytes| {
            for place in &mut taken[bytes.start - mdat_at..bytes.end - mdat_at] {
                assert!(!*place, "no byte belongs to two samples");
                *place = true;
            }
        })
    });
    let tracks: Vec<Track> = tracks.collect();
    assert!(
        taken.iter().all(|&taken| taken),
        "every byte belongs to a sample"
    );
    tracks
}

fn track(trak: &Trak, file: &[u8], mut took: impl FnMut(std::ops::Range<usize>)) -> Track {
    let stbl = &trak.mdia.minf.stbl;
    let sizes: Vec<u32> = match &stbl.stsz.samples {
        StszSamples::Different { sizes } => sizes.clone(),
        StszSamples::Identical { count, size } => vec![*size; *count as usize],
    };
    let each = |count: u32| 0..count;
    let durations: Vec<u32> = stbl
        .stts
        .entries
        .iter()
        .flat_map(|entry| each(entry.sample_count).map(|_| entry.sample_delta))
        .collect();
    assert_eq!(durations.len(), sizes.len(), "a duration for each sample");
    let offsets: Vec<i64> = stbl
        .ctts
        .iter()
        .flat_map(|ctts| &ctts.entries)
        .flat_map(|entry| each(entry.sample_count).map(|_| entry.sample_offset))
        .collect();
    assert!(offsets.is_empty() || offsets.len() == sizes.len());
    let chunks: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), None) => stco.entries.iter().map(|&at| at.into()).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        other => panic!("one table of chunks: {other:?}"),
    };
    let mut samples = Vec::new();
    let mut dts = 0;
    for (number, &chunk) in (1..).zip(&chunks) {
        let run = stbl
            .stsc
            .entries
            .iter()
            .rev()
            .find(|run| run.first_chunk <= number);
        let mut at = chunk as usize;
        for _ in each(run.expect("a run for each chunk").samples_per_chunk) {
            let index = samples.len();
            let end = at + sizes[index] as usize;
            took(at..end);
            let offset = offsets.get(index).copied().unwrap_or(0);
            let stss = stbl.stss.as_ref();
            samples.push(Sample {
                bytes: file[at..end].to_vec(),
                dts,
                pts: dts + offset,
                duration: durations[index],
                is_key: stss.is_none_or(|keys| keys.entries.contains(&(index as u32 + 1))),
            });
            at = end;
            dts += i64::from(durations[index]);
        }
    }
    assert_eq!(samples.len(), sizes.len(), "every sample is in a chunk");
    assert_eq!(trak.mdia.mdhd.duration, dts as u64);
    let edits = trak.edts.iter().filter_map(|edts| edts.elst.as_ref());
    Track {
        codec: stbl.stsd.codecs[0].clone(),
        scale: trak.mdia.mdhd.timescale,
        language: trak.mdia.mdhd.language.clone(),
        samples,
        edits: edits
            .flat_map(|elst| &elst.entries)
            .map(|edit| (edit.segment_duration, edit.media_time))
            .collect(),
    }
}

/// The samples of each track of a segment.
pub(crate) fn fragment(init: &[u8], segment: &[u8]) -> Vec<(u32, Vec<Sample>)> {
    let init = boxes(init);
    let [Any::Ftyp(_), Any::Moov(Moov { mvex: Some(_), .. })] = &init[..] else {
        panic!("ftyp and moov of fragments");
    };
    let parts = boxes(segment);
    let [Any::Moof(Moof { traf, .. }), Any::Mdat(_)] = &parts[..] else {
        panic!("moof and mdat");
    };
    let samples = |traf: &mp4_atom::Traf| {
        let mut dts = traf.tfdt.as_ref().expect("a time").base_media_decode_time as i64;
        let mut samples = Vec::new();
        for run in &traf.trun {
            let mut at = run.data_offset.expect("where it lies") as usize;
            for entry in run.samples.iter() {
                let size = entry.size.expect("a size") as usize;
                let duration = entry.duration.expect("a duration");
                samples.push(Sample {
                    bytes: segment[at..at + size].to_vec(),
                    dts,
                    pts: dts + entry.cts.unwrap_or(0),
                    duration,
                    is_key: entry.flags == Some(0x0200_0000),
                });
                at += size;
                dts += i64::from(duration);
            }
        }
        (traf.tfhd.track_id, samples)
    };
    traf.iter().map(samples).collect()
}
