//! Planner ticks, thinned out when there are many.

use sim_api::TickRecord;

/// The most ticks kept.
const MOST_TICKS: usize = 2048;

/// Every n-th tick, n doubling whenever there are too many.
#[derive(Clone, Debug)]
pub(crate) struct TickLog {
    kept: Vec<TickRecord>,
    stride: u64,
    seen: u64,
}

impl Default for TickLog {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            stride: 1,
            seen: 0,
        }
    }
}

impl TickLog {
    pub(crate) fn add(&mut self, record: &TickRecord) {
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == MOST_TICKS {
                self.stride *= 2;
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
            }
            if self.seen.is_multiple_of(self.stride) {
                self.kept.push(record.clone());
            }
        }
        self.seen += 1;
    }

    pub(crate) fn kept(&self) -> &[TickRecord] {
        &self.kept
    }

    /// One in how many ticks is kept.
    pub(crate) fn stride(&self) -> u64 {
        self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::SimTime;

    #[test]
    fn many_ticks_are_thinned_out_evenly() {
        let mut log = TickLog::default();
        for tick in 0..10_000 {
            log.add(&TickRecord {
                tick,
                due: SimTime::ZERO,
                at: SimTime::ZERO,
                prefill_ready: None,
                decode_ready: 1,
                values: Default::default(),
                reasons: Default::default(),
                engines: Vec::new(),
                targets: None,
            });
        }
        assert_eq!(log.stride(), 8);
        let expected: Vec<u64> = (0..10_000).step_by(8).collect();
        let kept: Vec<u64> = log.kept().iter().map(|record| record.tick).collect();
        assert_eq!(kept, expected);
    }
}
