//! Speculative decoding (MTP): how many tokens a decode step gives a request.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::Rng;
use sim_api::WorkerId;

use crate::config::Speculation;

/// Draws bursts: one token, and one more for every accepted draft token.
///
/// One stream a worker, drawn from in the order in which requests run, as in
/// the reference. A draft is accepted if the next 64-bit word is below
/// `rate` times 2⁶⁴; at rate 1 no word is drawn.
#[derive(Clone, Debug)]
pub(crate) struct BurstSampler {
    /// Words below it mean acceptance; `None` is certain acceptance.
    thresholds: Vec<Option<u64>>,
    words: ChaCha12Rng,
}

impl BurstSampler {
    pub(crate) fn new(speculation: &Speculation, worker: WorkerId) -> Self {
        let threshold = |&rate: &f64| (rate < 1.0).then(|| (rate * 2_f64.powi(64)) as u64);
        let seed = speculation.seed.wrapping_add(u64::from(worker.0));
        Self {
            thresholds: speculation.accept_rates.iter().map(threshold).collect(),
            words: sim_core::reference_stream(seed),
        }
    }

    /// Tokens of one request's next decode step; at least 1.
    pub(crate) fn burst(&mut self) -> u32 {
        let mut tokens = 1;
        for threshold in &self.thresholds {
            let accepted = threshold.is_none_or(|below| self.words.next_u64() < below);
            if !accepted {
                break;
            }
            tokens += 1;
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bursts(rates: &[f64], seed: u64, worker: u32, count: usize) -> Vec<u32> {
        let speculation = Speculation {
            accept_rates: rates.into(),
            seed,
        };
        let mut sampler = BurstSampler::new(&speculation, WorkerId(worker));
        std::iter::repeat_with(|| sampler.burst())
            .take(count)
            .collect()
    }

    #[test]
    fn bursts_follow_the_reference_stream() {
        assert_eq!(
            bursts(&[0.7, 0.5, 0.3], 42, 0, 20),
            [2, 4, 2, 1, 3, 4, 4, 3, 1, 2, 3, 1, 3, 2, 1, 1, 3, 3, 1, 4]
        );
        assert_eq!(
            bursts(&[0.85, 0.3], 42, 0, 20),
            [2, 2, 2, 2, 3, 1, 2, 2, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 3]
        );
    }

    #[test]
    fn a_worker_has_the_stream_of_seed_plus_its_id() {
        assert_eq!(
            bursts(&[0.7, 0.5, 0.3], 42, 1, 10),
            [1, 3, 2, 3, 3, 2, 1, 3, 3, 1]
        );
    }

    #[test]
    fn certain_drafts_draw_nothing() {
        assert_eq!(bursts(&[1.0, 0.0, 1.0], 42, 0, 3), [2, 2, 2]);
        assert_eq!(bursts(&[1.0, 0.7], 42, 0, 4), {
            let single = bursts(&[0.7], 42, 0, 4);
            single.iter().map(|burst| burst + 1).collect::<Vec<_>>()
        });
    }
}
