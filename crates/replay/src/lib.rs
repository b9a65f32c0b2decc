//! lookback-replay
