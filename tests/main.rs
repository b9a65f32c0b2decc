//! End to end: the real program with real OBS, players and ffmpeg.
