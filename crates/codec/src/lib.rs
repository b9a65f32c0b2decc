//! lookback-codec
