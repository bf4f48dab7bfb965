//! Simulated time, a ranked event queue, seeded random streams, event digest and exact quantiles.
