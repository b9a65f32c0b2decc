#!/usr/bin/env python3
"""Makes the excerpts in this folder again, with ffmpeg 5.1: ./make.py [NAME-PREFIX]

Each stream is encoded into MPEG-TS by the muxer that OBS uses. Of its first elementary stream the PES
payloads are taken, and of those the wanted ones are cut to a few hundred bytes: NAME.N.bin is
payload number N, counted from 0 in stream order. What ffprobe says of each stream is printed.
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

COLOUR_HDR = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv"
COLOUR_SD = "-color_primaries smpte170m -color_trc smpte170m -colorspace smpte170m"

# name: (source, encoder, numbers of the payloads kept, bytes kept of each)
VIDEO = {
    "h264": ("size=1280x720:rate=30", "libx264 -preset veryfast -g 4 -bf 1 -sc_threshold 0", [0, 1, 2, 4], 800),
    "h264-open": ("size=640x360:rate=25", "libx264 -g 4 -bf 1 -sc_threshold 0 -x264-params open-gop=1", [2, 3, 4], 160),
    "h264-refresh": ("size=320x240:rate=25", "libx264 -g 12 -bf 0 -sc_threshold 0 -x264-params intra-refresh=1:keyint=12", [11, 12, 13], 160),
    "h264-1080i": ("size=1920x1080:rate=25", "libx264 -preset ultrafast -flags +ildct+ilme -x264-params tff=1:keyint=2", [2], 160),
    "h264-hdr": ("size=1920x1080:rate=24000/1001", f"libx264 -preset ultrafast -pix_fmt yuv420p10le -g 1 {COLOUR_HDR}", [1], 160),
    "h264-422": ("size=720x576:rate=50", "libx264 -preset ultrafast -pix_fmt yuv422p -g 1", [1], 160),
    "h264-444": ("size=322x182:rate=60000/1001", "libx264 -pix_fmt yuv444p -g 1 -color_range pc -x264-params cqm=jvt", [1], 240),
    "h264-baseline": ("size=320x240:rate=30", "libx264 -profile:v baseline -g 1 -x264-params slices=4", [1], 160),
    "hevc": ("size=1280x720:rate=30", "libx265 -preset ultrafast -x265-params open-gop=0:keyint=4:bframes=1:scenecut=0:info=0", [0, 1, 2, 4], 300),
    "hevc-open": ("size=640x360:rate=25", "libx265 -x265-params open-gop=1:keyint=4:min-keyint=4:bframes=1:scenecut=0:info=0", [2, 3, 4], 300),
    "hevc-refresh": ("size=640x480:rate=25", "libx265 -preset ultrafast -x265-params intra-refresh=1:keyint=10:bframes=0:info=0", [10], 300),
    "hevc-hdr": ("size=1920x1080:rate=24000/1001", f"libx265 -preset ultrafast -pix_fmt yuv420p10le {COLOUR_HDR} -x265-params keyint=2:bframes=0:info=0:hdr10=1", [2], 300),
    "hevc-422": ("size=722x406:rate=50", f"libx265 -preset ultrafast -pix_fmt yuv422p12le -x265-params keyint=1:info=0:scaling-list={HERE}/scaling-lists.txt", [1], 700),
    "hevc-layers": ("size=640x360:rate=30", "libx265 -preset ultrafast -x265-params keyint=4:bframes=3:temporal-layers=1:info=0", [0], 300),
    "mpeg2": ("size=720x576:rate=25", "mpeg2video -b:v 2M -g 4 -bf 2 -sc_threshold 1000000000", [0, 1, 2, 4], 200),
    "mpeg2-closed": ("size=1920x1080:rate=30000/1001", f"mpeg2video -b:v 8M -g 4 -bf 2 -flags +cgop+ildct+ilme -sc_threshold 1000000000 {COLOUR_SD}", [4], 200),
    "mpeg2-422": ("size=1280x720:rate=60000/1001", "mpeg2video -pix_fmt yuv422p -b:v 8M -g 1", [1], 200),
    "mpeg1": ("size=352x288:rate=24", "mpeg1video -b:v 1M -g 4 -bf 0", [0, 4], 200),
}

# name: (source, encoder, bytes of a PES payload, numbers of the payloads kept)
AUDIO = {
    "aac": ("sine=sample_rate=48000", "aac -b:a 32k -ac 2", 500, [1]),
    "aac-mono": ("sine=sample_rate=44100", "aac -b:a 16k", 300, [1]),
    "aac-51": ("anullsrc=r=48000:cl=5.1", "aac -b:a 64k", 300, [1]),
    "aac-41": ("anullsrc=r=48000:cl=4.1", "aac -b:a 64k", 300, [0]),
    "latm": ("sine=sample_rate=48000", "aac -b:a 32k -ac 2 -mpegts_flags latm", 500, [0, 1]),
    "opus": ("sine=sample_rate=48000", "libopus -b:a 32k -ac 2", 300, [0, 1, "last"]),
    "opus-51": ("anullsrc=r=48000:cl=5.1", "libopus -b:a 64k", 300, [1]),
    "opus-short": ("sine=sample_rate=48000", "libopus -b:a 32k -ac 1 -application lowdelay -frame_duration 2.5", 300, [1]),
    "opus-voice": ("sine=sample_rate=16000", "libopus -b:a 12k -ac 1 -application voip -frame_duration 60", 300, [1]),
    "ac3": ("anullsrc=r=48000:cl=5.1", "ac3 -b:a 224k", 500, [1]),
    "ac3-44": ("sine=sample_rate=44100", "ac3 -b:a 32k", 400, [1]),
    "eac3": ("sine=sample_rate=48000", "eac3 -b:a 48k -ac 2", 400, [1]),
    "mp2": ("sine=sample_rate=48000", "mp2 -b:a 32k -ac 1", 300, [1]),
    "mp3": ("sine=sample_rate=44100", "libmp3lame -b:a 32k -ac 2", 300, [2]),
    "mp3-low": ("sine=sample_rate=22050", "libmp3lame -b:a 16k", 200, [2]),
    "mp3-lowest": ("sine=sample_rate=11025", "libmp3lame -b:a 8k", 200, [2]),
}


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for name, (source, encoder, numbers, length) in VIDEO.items():
        if name.startswith(wanted):
            make(name, f"-f lavfi -i testsrc2={source} -frames:v 20 -c:v {encoder}", numbers, length)
    for name, (source, encoder, size, numbers) in AUDIO.items():
        if name.startswith(wanted):
            make(name, f"-f lavfi -i {source} -t 1 -c:a {encoder} -pes_payload_size {size}", numbers, None)


def make(name, arguments, numbers, length):
    with tempfile.TemporaryDirectory() as folder:
        stream = pathlib.Path(folder) / "stream.ts"
        if " yuv" not in arguments and " gray" not in arguments and "-c:v" in arguments:
            arguments += " -pix_fmt yuv420p"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-bitexact", *arguments.split(), "-threads", "1", "-f", "mpegts", str(stream)],
            check=True, stderr=subprocess.DEVNULL,
        )
        payloads, stream_type, descriptors = demultiplex(stream.read_bytes())
        for number in numbers:
            payload = payloads[-1 if number == "last" else number]
            (HERE / f"{name}.{number}.bin").write_bytes(payload[:length])
        print(f"{name}: stream type {stream_type:#04x}, descriptors {descriptors.hex()}")
        fields = ("codec_name,profile,level,width,height,pix_fmt,avg_frame_rate,r_frame_rate,color_range,color_space,"
                  "color_transfer,color_primaries,channels,sample_rate")
        probe = ["ffprobe", "-v", "error", "-show_entries", f"stream={fields}", "-of", "compact", str(stream)]
        print("   ", subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split("\n")[0])
        probe = ["ffprobe", "-v", "error", "-show_entries", "packet=flags,size,duration,pts", "-of", "csv=p=0", str(stream)]
        print("   ", " ".join(subprocess.run(probe, check=True, capture_output=True, text=True).stdout.split()[:30]))


def demultiplex(data):
    """The PES payloads of the first elementary stream, with its stream type and descriptors."""
    payloads, stream_type, descriptors = [], None, b""
    for at in range(0, len(data), 188):
        packet = data[at:at + 188]
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        starts = packet[1] & 0x40
        content = packet[4:]
        if packet[3] & 0x20:
            content = content[1 + content[0]:]
        if pid == 0x1000 and starts and packet[3] & 0x10:
            section = content[1 + content[0]:]
            entry = section[12 + ((section[10] & 0xF) << 8 | section[11]):]
            stream_type = entry[0]
            descriptors = entry[5:5 + ((entry[3] & 0xF) << 8 | entry[4])]
        if pid == 0x100 and packet[3] & 0x10:
            if starts:
                payloads.append(b"")
                content = content[9 + content[8]:]
            payloads[-1] += content
    return payloads, stream_type, descriptors


if __name__ == "__main__":
    main()
