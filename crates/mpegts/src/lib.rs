//! lookback-mpegts
