//! What a trace looks like: sizes, rates, lengths, prefix reuse, bursts.

use hashbrown::{HashMap, HashSet};
use rustc_hash::FxBuildHasher;
use sim_core::WeightedSamples;

use crate::table::{Trace, TraceRequest};

/// How many of the most frequent prefixes are listed.
const TOP: usize = 3;

/// A distribution of whole numbers; percentiles by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LengthStats {
    pub mean: f64,
    pub std: f64,
    pub min: u64,
    pub p25: u64,
    pub p50: u64,
    pub p75: u64,
    pub p90: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

impl LengthStats {
    fn of(values: &[u64]) -> Self {
        let samples = WeightedSamples::from_values(values);
        let count = samples.count().max(1) as f64;
        let moment = |power: i32| -> f64 {
            let term = |&(value, times): &(u64, u64)| (value as f64).powi(power) * times as f64;
            samples.pairs().iter().map(term).sum::<f64>() / count
        };
        let mean = moment(1);
        let at = |q| samples.percentile(q).unwrap_or(0);
        Self {
            mean,
            std: (moment(2) - mean * mean).max(0.0).sqrt(),
            min: at(0.0),
            p25: at(25.0),
            p50: at(50.0),
            p75: at(75.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            max: at(100.0),
        }
    }
}

/// How unevenly requests arrive. Requests without a timestamp do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArrivalStats {
    /// From the first to the last arrival, in milliseconds.
    pub span_ms: f64,
    /// Requests a second over the span; 0 if it is empty.
    pub mean_rps: f64,
    /// Different instants at which something arrives.
    pub instants: u64,
    /// Most arrivals at one instant.
    pub largest_burst: u64,
    /// Median gap between neighbouring arrivals, in milliseconds.
    pub gap_p50_ms: f64,
    /// Standard deviation of the gaps over their mean; 1 for Poisson arrivals.
    pub gap_variation: f64,
    /// Requests a second in the busiest of the minutes since the first arrival.
    pub peak_minute_rps: f64,
}

/// A prefix of hash ids and how many requests start with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixCount {
    /// Its ids.
    pub ids: Vec<u64>,
    /// Requests that start with it.
    pub requests: u64,
}

/// The statistics of a trace.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceStats {
    /// Requests.
    pub requests: u64,
    /// Sessions; a request without one is its own.
    pub sessions: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all outputs.
    pub output_tokens: u64,
    /// Prompt tokens a request.
    pub isl: LengthStats,
    /// Output tokens a request.
    pub osl: LengthStats,
    /// Hash ids a request.
    pub blocks_per_request: LengthStats,
    /// When requests arrive.
    pub arrivals: ArrivalStats,
    /// Hash ids of all requests.
    pub blocks: u64,
    /// Different ones.
    pub unique_blocks: u64,
    /// Ids that an earlier request had, over all ids: the hit rate of an
    /// unlimited cache.
    pub block_reuse_ratio: f64,
    /// Different ids that occur once, over all different ids.
    pub once_ratio: f64,
    /// Leading ids that earlier requests had, over a request's ids, averaged.
    pub hit_ratio_mean: f64,
    /// Different first ids.
    pub first_blocks: u64,
    /// The most frequent ones.
    pub top_first_blocks: Vec<PrefixCount>,
    /// Different pairs of first ids.
    pub depth2_prefixes: u64,
    /// The most frequent ones.
    pub top_depth2_prefixes: Vec<PrefixCount>,
}

impl TraceStats {
    /// The statistics of `trace`.
    ///
    /// ```
    /// use trace::{Trace, TraceOptions, TraceStats};
    /// let rows = r#"
    ///     {"timestamp": 0, "output_length": 8, "hash_ids": [1, 2]}
    ///     {"timestamp": 0, "output_length": 8, "hash_ids": [1, 3]}
    /// "#;
    /// let trace = Trace::from_bytes("example", rows, &TraceOptions::default())?;
    /// let stats = TraceStats::of(&trace);
    /// assert_eq!(stats.block_reuse_ratio, 0.25);
    /// assert_eq!(stats.arrivals.largest_burst, 2);
    /// # Ok::<(), trace::TraceError>(())
    /// ```
    pub fn of(trace: &Trace) -> Self {
        let lengths = |length: fn(&TraceRequest<'_>) -> u64| -> Vec<u64> {
            trace.requests().map(|request| length(&request)).collect()
        };
        let inputs = lengths(|request| u64::from(request.input_tokens));
        let outputs = lengths(|request| u64::from(request.output_tokens));
        let blocks = lengths(|request| request.hash_ids.len() as u64);
        let reuse = Reuse::of(trace);
        let (first_blocks, top_first_blocks) = prefixes(trace, 1);
        let (depth2_prefixes, top_depth2_prefixes) = prefixes(trace, 2);
        let all: u64 = blocks.iter().sum();
        Self {
            requests: trace.len() as u64,
            sessions: trace.sessions() as u64,
            input_tokens: inputs.iter().sum(),
            output_tokens: outputs.iter().sum(),
            isl: LengthStats::of(&inputs),
            osl: LengthStats::of(&outputs),
            blocks_per_request: LengthStats::of(&blocks),
            arrivals: ArrivalStats::of(trace),
            blocks: all,
            unique_blocks: reuse.unique,
            block_reuse_ratio: 1.0 - reuse.unique as f64 / all as f64,
            once_ratio: reuse.once as f64 / reuse.unique as f64,
            hit_ratio_mean: reuse.hit_ratio_sum / trace.len() as f64,
            first_blocks,
            top_first_blocks,
            depth2_prefixes,
            top_depth2_prefixes,
        }
    }
}

struct Reuse {
    unique: u64,
    once: u64,
    hit_ratio_sum: f64,
}

impl Reuse {
    fn of(trace: &Trace) -> Self {
        let mut seen: HashSet<u64, FxBuildHasher> = HashSet::default();
        let mut again: HashSet<u64, FxBuildHasher> = HashSet::default();
        let mut hit_ratio_sum = 0.0;
        for request in trace.requests() {
            let ids = request.hash_ids;
            let hits = ids.iter().take_while(|id| seen.contains(*id)).count();
            hit_ratio_sum += hits as f64 / ids.len() as f64;
            for &id in ids {
                if !seen.insert(id) {
                    again.insert(id);
                }
            }
        }
        Self {
            unique: seen.len() as u64,
            once: (seen.len() - again.len()) as u64,
            hit_ratio_sum,
        }
    }
}

/// How many different prefixes of `depth` ids there are, and the most frequent.
fn prefixes(trace: &Trace, depth: usize) -> (u64, Vec<PrefixCount>) {
    let mut counts: HashMap<&[u64], u64, FxBuildHasher> = HashMap::default();
    for request in trace.requests() {
        if let Some(prefix) = request.hash_ids.get(..depth) {
            *counts.entry(prefix).or_insert(0) += 1;
        }
    }
    let different = counts.len() as u64;
    let mut top: Vec<(&[u64], u64)> = counts.into_iter().collect();
    top.sort_unstable_by_key(|&(ids, requests)| (std::cmp::Reverse(requests), ids));
    top.truncate(TOP);
    let listed = top.into_iter().map(|(ids, requests)| PrefixCount {
        ids: ids.to_vec(),
        requests,
    });
    (different, listed.collect())
}

impl ArrivalStats {
    fn of(trace: &Trace) -> Self {
        let mut times: Vec<f64> = trace
            .requests()
            .filter_map(|request| request.timestamp_ms)
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
            return Self::default();
        };
        let span_ms = last - first;
        let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.sort_unstable_by(f64::total_cmp);
        let count = gaps.len().max(1) as f64;
        let mean = span_ms / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        let bursts = || times.chunk_by(|one, two| one == two);
        let minute = |ms: f64| ((ms - first) / 60_000.0).floor();
        let minutes = times.chunk_by(|&one, &two| minute(one) == minute(two));
        let positive = |value: f64, of: f64| if of > 0.0 { value / of } else { 0.0 };
        Self {
            span_ms,
            mean_rps: positive(times.len() as f64 * 1000.0, span_ms),
            instants: bursts().count() as u64,
            largest_burst: bursts().map(<[f64]>::len).max().unwrap_or(0) as u64,
            gap_p50_ms: gaps.get(gaps.len() / 2).copied().unwrap_or(0.0),
            gap_variation: positive(variance.sqrt(), mean),
            peak_minute_rps: minutes.map(<[f64]>::len).max().unwrap_or(0) as f64 / 60.0,
        }
    }
}
