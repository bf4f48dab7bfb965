//! Metrics of a run: summary, AIPerf table, JSON, per-request records and HTML.
