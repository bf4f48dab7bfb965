//! Equal stretches of simulated time that widen as a run goes on.

use sim_api::Pool;
use sim_core::{SimDuration, SimTime};

use super::Sketch;
use crate::router::HitSums;

/// The most bins there are; when a run outgrows them, neighbours are joined.
pub(crate) const MOST_BINS: usize = 256;
/// Width of a bin of a short run: 1/16 s. Doubled until the run fits.
const FIRST_WIDTH_NS: u64 = 62_500_000;

/// What happened in a stretch of time: sums and maxima, so bins can be joined.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bin {
    pub(crate) arrivals: u64,
    pub(crate) rejections: u64,
    pub(crate) completions: u64,
    pub(crate) preemptions: u64,
    pub(crate) output_tokens: u64,
    /// Prompt tokens of first admissions, and how many of them were cached.
    pub(crate) admitted_tokens: u64,
    pub(crate) reused_tokens: u64,
    /// Of the requests that arrived here: those that met their targets.
    pub(crate) met: u64,
    pub(crate) met_ttft: u64,
    pub(crate) met_itl: u64,
    pub(crate) met_e2e: u64,
    /// Of the requests that arrived here.
    pub(crate) ttft: Sketch,
    /// Of the tokens that came here.
    pub(crate) itl: Sketch,
    pub(crate) routed: Routed,
    prefill: PoolLoad,
    decode: PoolLoad,
}

/// What the first router of the deployment did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Routed {
    /// Of the requests that arrived here: those that were dispatched, their
    /// time in the queue, and the longest of it.
    pub(crate) dispatched: u64,
    pub(crate) queued_ns: u128,
    pub(crate) longest_ns: u64,
    /// Of the dispatches here.
    pub(crate) hits: HitSums,
}

impl Routed {
    pub(crate) fn wait(&mut self, waited: SimDuration) {
        self.dispatched += 1;
        self.queued_ns += u128::from(waited.as_ns());
        self.longest_ns = self.longest_ns.max(waited.as_ns());
    }

    fn merge(&mut self, other: &Self) {
        self.dispatched += other.dispatched;
        self.queued_ns += other.queued_ns;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
        self.hits.merge(&other.hits);
    }
}

/// Sums over load samples.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolLoad {
    /// Instants at which the pool was sampled.
    pub(crate) instants: u64,
    /// Workers sampled, all instants together.
    pub(crate) workers: u64,
    pub(crate) waiting: u64,
    pub(crate) running: u64,
    pub(crate) active_blocks: u64,
    pub(crate) inactive_blocks: u64,
    pub(crate) total_blocks: u64,
}

impl PoolLoad {
    fn merge(&mut self, other: &Self) {
        self.instants += other.instants;
        self.workers += other.workers;
        self.waiting += other.waiting;
        self.running += other.running;
        self.active_blocks += other.active_blocks;
        self.inactive_blocks += other.inactive_blocks;
        self.total_blocks += other.total_blocks;
    }
}

impl Bin {
    pub(crate) fn load(&self, pool: Pool) -> &PoolLoad {
        match pool {
            Pool::Prefill => &self.prefill,
            Pool::Decode => &self.decode,
        }
    }

    pub(crate) fn load_mut(&mut self, pool: Pool) -> &mut PoolLoad {
        match pool {
            Pool::Prefill => &mut self.prefill,
            Pool::Decode => &mut self.decode,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.arrivals += other.arrivals;
        self.rejections += other.rejections;
        self.completions += other.completions;
        self.preemptions += other.preemptions;
        self.output_tokens += other.output_tokens;
        self.admitted_tokens += other.admitted_tokens;
        self.reused_tokens += other.reused_tokens;
        self.met += other.met;
        self.met_ttft += other.met_ttft;
        self.met_itl += other.met_itl;
        self.met_e2e += other.met_e2e;
        self.ttft.merge(&other.ttft);
        self.itl.merge(&other.itl);
        self.routed.merge(&other.routed);
        self.prefill.merge(&other.prefill);
        self.decode.merge(&other.decode);
    }
}

/// At most [`MOST_BINS`] bins of equal width from the start of a run on.
#[derive(Clone, Debug)]
pub(crate) struct Bins {
    width_ns: u64,
    bins: Vec<Bin>,
}

impl Default for Bins {
    fn default() -> Self {
        Self {
            width_ns: FIRST_WIDTH_NS,
            bins: Vec::new(),
        }
    }
}

impl Bins {
    /// Joins bins until `at` falls into one.
    pub(crate) fn fit(&mut self, at: SimTime) {
        while at.as_ns() / self.width_ns >= MOST_BINS as u64 {
            self.width_ns *= 2;
            let halves = std::mem::take(&mut self.bins);
            self.bins = halves
                .chunks(2)
                .map(|pair| {
                    let mut joined = pair[0].clone();
                    if let Some(second) = pair.get(1) {
                        joined.merge(second);
                    }
                    joined
                })
                .collect();
        }
    }

    /// The bin of an instant.
    pub(crate) fn at(&mut self, at: SimTime) -> &mut Bin {
        self.fit(at);
        let index = (at.as_ns() / self.width_ns) as usize;
        if index >= self.bins.len() {
            self.bins.resize_with(index + 1, Bin::default);
        }
        &mut self.bins[index]
    }

    /// Where the bin of `at` ends.
    pub(crate) fn end_of(&self, at: SimTime) -> SimTime {
        let index = at.as_ns() / self.width_ns;
        SimTime::from_ns((index + 1).saturating_mul(self.width_ns))
    }

    pub(crate) fn width_s(&self) -> f64 {
        self.width_ns as f64 / 1e9
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Bin> {
        self.bins.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_widen_until_the_run_fits_and_lose_nothing() {
        let mut bins = Bins::default();
        for second in 0..10_000 {
            bins.at(SimTime::from_ns(second * 1_000_000_000)).arrivals += 1;
        }
        assert_eq!(bins.width_s(), 64.0);
        assert_eq!(bins.bins.len(), 157);
        assert!(bins.bins[..156].iter().all(|bin| bin.arrivals == 64));
        assert_eq!(bins.bins[156].arrivals, 16);
    }

    #[test]
    fn the_order_of_events_does_not_matter() {
        let counts = |order: &[u64]| {
            let mut bins = Bins::default();
            for &second in order {
                bins.at(SimTime::from_ns(second * 1_000_000_000))
                    .completions += 1;
            }
            let counts: Vec<u64> = bins.iter().map(|bin| bin.completions).collect();
            (bins.width_ns, counts)
        };
        assert_eq!(counts(&[1, 500, 90_000]), counts(&[90_000, 1, 500]));
    }
}
