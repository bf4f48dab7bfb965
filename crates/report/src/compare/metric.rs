//! The metrics that runs are compared by, and their names.

use strsim::levenshtein as edit_distance;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
    /// Neither: shown only.
    Neither,
}

/// A row of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) label: &'static str,
    pub(crate) key: &'static str,
    pub(crate) better: Better,
    /// Whether it decides what a run is said to be better at.
    pub(crate) headline: bool,
    pub(crate) kind: Kind,
}

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With two decimals.
    Amount,
    /// As a whole number.
    Count,
    /// In per cent.
    Share,
}

const fn metric(label: &'static str, key: &'static str, better: Better, headline: bool) -> Metric {
    Metric {
        label,
        key,
        better,
        headline,
        kind: Kind::Amount,
    }
}

const fn count(label: &'static str, key: &'static str, better: Better) -> Metric {
    Metric {
        label,
        key,
        better,
        headline: false,
        kind: Kind::Count,
    }
}

const fn share(label: &'static str, key: &'static str, headline: bool) -> Metric {
    Metric {
        label,
        key,
        better: Better::Higher,
        headline,
        kind: Kind::Share,
    }
}

use Better::{Higher, Lower, Neither};

/// The rows, in order.
pub(crate) const METRICS: &[Metric] = &[
    metric("TTFT mean (ms)", "mean_ttft_ms", Lower, false),
    metric("TTFT p50 (ms)", "median_ttft_ms", Lower, false),
    metric("TTFT p90 (ms)", "p90_ttft_ms", Lower, false),
    metric("TTFT p99 (ms)", "p99_ttft_ms", Lower, true),
    metric("ITL mean (ms)", "mean_itl_ms", Lower, false),
    metric("ITL p90 (ms)", "p90_itl_ms", Lower, false),
    metric("ITL p99 (ms)", "p99_itl_ms", Lower, true),
    metric("E2E mean (ms)", "mean_e2e_latency_ms", Lower, false),
    metric("E2E p99 (ms)", "p99_e2e_latency_ms", Lower, true),
    share("SLA met", "sla_attainment", true),
    metric("Goodput (req/s)", "goodput_rps", Higher, false),
    metric("Output (tok/s)", "output_throughput_tok_s", Higher, true),
    share("Prefix cache reuse", "prefix_cache_reused_ratio", false),
    count("Requests completed", "completed_requests", Neither),
    count("Requests rejected", "rejected_requests", Lower),
    count("Preemptions", "preemptions", Lower),
    metric("GPU-hours", "gpu_hours", Lower, true),
    metric("Cost", "cost", Lower, true),
    count("Scaling events", "scaling_events", Neither),
    metric("Duration (ms)", "duration_ms", Neither, false),
];

const STATISTICS: [(&str, &str); 10] = [
    ("mean", "mean"),
    ("min", "min"),
    ("max", "max"),
    ("median", "median"),
    ("p50", "median"),
    ("p75", "p75"),
    ("p90", "p90"),
    ("p95", "p95"),
    ("p99", "p99"),
    ("std", "std"),
];

const DISTRIBUTIONS: [(&str, &str); 7] = [
    ("ttft", "ttft_ms"),
    ("ttst", "ttst_ms"),
    ("tpot", "tpot_ms"),
    ("itl", "itl_ms"),
    ("e2e", "e2e_latency_ms"),
    ("e2e_latency", "e2e_latency_ms"),
    (
        "output_token_throughput_per_user",
        "output_token_throughput_per_user",
    ),
];

const SINGLE: [&str; 25] = [
    "completed_requests",
    "cost",
    "decode_worker_seconds",
    "duration_ms",
    "first_admission_prefix_cache_reused_ratio",
    "goodput_rps",
    "goodput_tok_s",
    "gpu_hours",
    "input_throughput_tok_s",
    "num_requests",
    "output_throughput_tok_s",
    "preemptions",
    "prefill_worker_seconds",
    "prefix_cache_reused_ratio",
    "processed_tokens",
    "rejected_requests",
    "request_throughput_rps",
    "sla_attainment",
    "sla_e2e_attainment",
    "sla_itl_attainment",
    "sla_ttft_attainment",
    "total_input_tokens",
    "total_output_tokens",
    "total_throughput_tok_s",
    "unfinished_requests",
];

/// The JSON key that `name` means: `ttft_p99` and `p99_ttft_ms` are both
/// `p99_ttft_ms`; keys that are no distribution are their own names.
///
/// # Errors
/// The nearest name.
pub(crate) fn key_of(name: &str) -> Result<String, String> {
    if SINGLE.contains(&name) {
        return Ok(name.to_owned());
    }
    // Names of metrics are short: what is longer is far from all of them.
    let given: String = name.chars().take(64).collect();
    let mut nearest = (usize::MAX, String::new());
    let mut consider = |candidate: String| {
        let distance = edit_distance(&given, &candidate);
        if distance < nearest.0 {
            nearest = (distance, candidate);
        }
    };
    for (metric, suffix) in DISTRIBUTIONS {
        for (statistic, prefix) in STATISTICS {
            let key = format!("{prefix}_{suffix}");
            let short = format!("{metric}_{statistic}");
            if name == key || name == short {
                return Ok(key);
            }
            consider(short);
        }
    }
    SINGLE.into_iter().for_each(|key| consider(key.to_owned()));
    Err(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_names_mean_the_same_key() {
        for name in ["ttft_p99", "p99_ttft_ms"] {
            assert_eq!(key_of(name).as_deref(), Ok("p99_ttft_ms"));
        }
        assert_eq!(key_of("itl_p50").as_deref(), Ok("median_itl_ms"));
        assert_eq!(key_of("gpu_hours").as_deref(), Ok("gpu_hours"));
        assert_eq!(key_of("tftt_p99"), Err("ttft_p99".to_owned()));
        assert_eq!(key_of("gpu_hour"), Err("gpu_hours".to_owned()));
    }

    #[test]
    fn distances_count_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", "abc"), 0);
    }
}
