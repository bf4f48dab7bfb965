//! The collector against one that looks at every token.

use proptest::prelude::*;
use report::{Collector, CollectorOptions, Distribution, SlaTargets};
use sim_api::{Admitted, Compat, Observer, PassDurations, Pool, Quirk, RequestId, TokenGaps};
use sim_api::{WorkerId, WorkerRef};
use sim_core::{SimDuration, nearest_rank};

use crate::stream::{Request, WORKER, arrival, at, stamp, summary};

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let request = (
        0_u64..50_000_000,
        0_u64..9_000_000,
        1_u32..5_000,
        0_u32..5_000,
        prop::collection::vec(0_u64..20_000_000, 1..12),
    );
    let request = request.prop_map(|(arrival, wait, input_tokens, reused, steps)| {
        let mut now = arrival + wait;
        let tokens = steps.iter().map(|step| {
            now += step;
            now
        });
        Request {
            arrival,
            admitted: arrival + wait,
            reused: reused.min(input_tokens),
            input_tokens,
            tokens: tokens.collect(),
        }
    });
    prop::collection::vec(request, 0..30)
}

/// Statistics of values in nanoseconds (or whatever `scale` makes of them).
fn naive(mut values: Vec<f64>) -> Distribution {
    if values.is_empty() {
        return Distribution::default();
    }
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let pick = |q| values[nearest_rank(values.len() as u64, q) as usize];
    let mean = values.iter().sum::<f64>() / n;
    Distribution {
        count: values.len() as u64,
        mean,
        min: pick(0.0),
        max: pick(100.0),
        median: pick(50.0),
        p75: pick(75.0),
        p90: pick(90.0),
        p95: pick(95.0),
        p99: pick(99.0),
        std: (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt(),
    }
}

fn assert_close(ours: Distribution, theirs: Distribution) {
    assert_eq!(ours.count, theirs.count);
    for (one, two) in ours.values().into_iter().zip(theirs.values()) {
        assert!(
            (one - two).abs() <= 1e-9 + two.abs() * 1e-9,
            "{ours:?}\n{theirs:?}"
        );
    }
}

fn gaps(requests: &[Request]) -> Vec<u64> {
    let gaps = requests
        .iter()
        .flat_map(|request| request.tokens.windows(2));
    gaps.map(|pair| pair[1] - pair[0]).collect()
}

fn of_requests(requests: &[Request], f: impl Fn(&Request) -> Option<f64>) -> Distribution {
    naive(requests.iter().filter_map(f).collect())
}

proptest! {
    #[test]
    fn every_metric_equals_the_token_by_token_one(requests in requests()) {
        let ours = summary(&requests, CollectorOptions::default());
        let ms = |ns: u64| ns as f64 / 1e6;
        let gaps = gaps(&requests);
        assert_close(ours.ttft, of_requests(&requests, |r| Some(ms(r.tokens[0] - r.arrival))));
        assert_close(ours.ttst, of_requests(&requests, |r| Some(ms(r.tokens.get(1)? - r.tokens[0]))));
        assert_close(ours.e2e_latency, of_requests(&requests, |r| {
            Some(ms(r.tokens.last()? - r.arrival))
        }));
        assert_close(ours.tpot, of_requests(&requests, |r| {
            let gaps = r.tokens.len() - 1;
            (gaps > 0).then(|| ms(r.tokens[gaps] - r.tokens[0]) / gaps as f64)
        }));
        assert_close(ours.itl, naive(gaps.iter().map(|&ns| ms(ns)).collect()));
        let rates = gaps.iter().filter(|&&ns| ns > 0).map(|&ns| 1e9 / ns as f64);
        assert_close(ours.output_token_throughput_per_user, naive(rates.collect()));
        let last = requests.iter().flat_map(|r| &r.tokens).max().copied().unwrap_or(0);
        prop_assert_eq!(ours.duration.as_ns(), last);
        prop_assert_eq!(ours.completed, requests.len() as u64);
    }

    #[test]
    fn attainment_counts_requests_within_their_targets(
        requests in requests(), ttft in 0_u64..20_000_000, itl in 0_u64..20_000_000
    ) {
        let sla = SlaTargets {
            ttft: Some(SimDuration::from_ns(ttft)),
            itl: Some(SimDuration::from_ns(itl)),
            e2e: None,
        };
        let ours = summary(&requests, CollectorOptions { sla, ..CollectorOptions::default() });
        let met = requests.iter().filter(|r| {
            let gaps = r.tokens.len() as u64 - 1;
            let decode = r.tokens[gaps as usize] - r.tokens[0];
            r.tokens[0] - r.arrival <= ttft && decode <= itl * gaps
        });
        let report = ours.sla.unwrap();
        prop_assert_eq!(report.met, met.count() as u64);
        prop_assert!(report.met <= report.met_ttft.min(report.met_itl));
        prop_assert_eq!(report.met_e2e, requests.len() as u64);
    }
}

#[test]
fn reuse_is_of_the_first_admission_or_the_greatest_by_the_runs_rule() {
    let run = |quirks| {
        let mut collector = Collector::new(CollectorOptions {
            quirks,
            ..CollectorOptions::default()
        });
        let prefill = WorkerRef {
            pool: Pool::Prefill,
            id: WorkerId(3),
        };
        collector.arrived(&arrival(0, 0, 100, 2));
        for (worker, cached_tokens) in [(prefill, 10), (WORKER, 5), (WORKER, 40), (prefill, 20)] {
            collector.admitted(
                worker,
                Admitted {
                    request: RequestId(0),
                    at: at(1),
                    cached_tokens,
                    again: false,
                },
            );
        }
        collector.first_token(WORKER, stamp(2), RequestId(0));
        collector.completed(WORKER, stamp(3), RequestId(0));
        let summary = collector.summary();
        (
            summary.reused_ratio(),
            summary.first_admission_reused_ratio(),
        )
    };
    assert_eq!(run(Compat::Default.quirks()), (0.1, 0.1));
    assert_eq!(run(Compat::V1_2_1.quirks()), (0.4, 0.1));
    let only_reuse = Compat::Default.quirks().with(Quirk::ReuseIsMaximum);
    assert_eq!(run(only_reuse), (0.4, 0.1));
}

#[test]
fn a_request_without_its_last_token_is_not_completed() {
    let mut collector = Collector::new(CollectorOptions::default());
    collector.arrived(&arrival(0, 0, 100, 9));
    collector.arrived(&arrival(1, 0, 100, 9));
    collector.first_token(WORKER, stamp(2), RequestId(0));
    collector.gaps(
        WORKER,
        &TokenGaps {
            start: at(2),
            requests: 1,
            durations: PassDurations::Row {
                key: 1,
                first: 250,
                values: &[7; 20],
            },
        },
    );
    let summary = collector.summary();
    assert_eq!((summary.requests, summary.completed), (2, 0));
    assert_eq!((summary.ttft.count, summary.itl.count), (0, 20));
    assert_eq!(summary.itl.max, 7e-6);
}
