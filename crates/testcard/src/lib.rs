//! lookback-testcard
