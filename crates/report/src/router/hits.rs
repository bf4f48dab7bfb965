//! Sums of prefix hits.

use sim_api::Overlap;

use super::HitRate;

/// Fractional bits of a share: sums of whole numbers do not depend on their
/// order.
const SHARE_BITS: u32 = 32;

/// What routers believed of prompts and caches, summed over dispatches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HitSums {
    count: u64,
    /// Shares of the prompt's blocks, as fixed-point numbers.
    believed: u128,
    best_available: u128,
}

impl HitSums {
    pub(crate) fn add(&mut self, overlap: Overlap) {
        let share = |blocks| {
            let whole = u64::from(overlap.isl_blocks.max(1));
            u128::from((u64::from(blocks) << SHARE_BITS) / whole)
        };
        self.count += 1;
        self.believed += share(overlap.blocks);
        self.best_available += share(overlap.best_blocks);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.believed += other.believed;
        self.best_available += other.best_available;
    }

    /// The means; `None` if an index was never asked.
    pub(crate) fn rate(&self) -> Option<HitRate> {
        let mean = |sum: u128| sum as f64 / (1_u64 << SHARE_BITS) as f64 / self.count as f64;
        (self.count > 0).then(|| HitRate {
            requests: self.count,
            believed: mean(self.believed),
            best_available: mean(self.best_available),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_counts_alike_whatever_its_length() {
        let (mut one, mut two) = (HitSums::default(), HitSums::default());
        assert_eq!(one.rate(), None);
        for (sums, blocks, best_blocks, isl_blocks) in
            [(&mut one, 1, 2, 4), (&mut two, 600, 600, 800)]
        {
            sums.add(Overlap {
                blocks,
                best_blocks,
                isl_blocks,
            });
        }
        one.merge(&two);
        let expected = HitRate {
            requests: 2,
            believed: 0.5,
            best_available: 0.625,
        };
        assert_eq!(one.rate(), Some(expected));
    }
}
