//! Composes the parts of dynosim: configuration to a run to a report.
