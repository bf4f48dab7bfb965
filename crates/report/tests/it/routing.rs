//! What a report says of routers.

use report::{Collector, CollectorOptions, HitRate, JsonOptions, RouterSummary, report_value};
use sim_api::{
    CoverageTally, Dispatch, Observer, Overlap, Pool, Rejection, RequestId, RunEnd, WorkerChange,
    WorkerId, WorkerRef,
};
use sim_core::SimTime;

use crate::stream::{arrival, at, profile, stamp};

const SECOND: u64 = 1_000_000_000;

fn worker(pool: Pool, id: u32) -> WorkerRef {
    WorkerRef {
        pool,
        id: WorkerId(id),
    }
}

fn send(to: &mut Collector, ns: u64, pool: Pool, request: u32, worker: u32) {
    let dispatch = Dispatch {
        request: RequestId(request),
        worker: WorkerId(worker),
        overlap: None,
    };
    to.dispatched(at(ns), pool, &dispatch);
}

fn collector(workers: &[(Pool, u32)]) -> Collector {
    let mut collector = Collector::new(CollectorOptions::default());
    for pool in [Pool::Prefill, Pool::Decode] {
        if workers.iter().any(|&(of, _)| of == pool) {
            collector.pool(pool, &profile());
        }
    }
    for &(pool, id) in workers {
        collector.worker(SimTime::ZERO, worker(pool, id), WorkerChange::Ready);
    }
    collector
}

fn finish(mut collector: Collector, ns: u64) -> Option<RouterSummary> {
    collector.finished(&RunEnd {
        at: at(ns),
        unfinished: 0,
        coverage: CoverageTally::default(),
    });
    let summary = collector.summary();
    let report = report_value(&summary, &JsonOptions::default());
    assert_eq!(report.get("router").is_some(), summary.router.is_some());
    summary.router
}

#[test]
fn a_single_worker_without_an_index_is_nothing_to_speak_of() {
    let mut one = collector(&[(Pool::Decode, 0)]);
    one.arrived(&arrival(0, 5, 10, 1));
    send(&mut one, 5, Pool::Decode, 0, 0);
    one.completed(worker(Pool::Decode, 0), stamp(9), RequestId(0));
    assert!(finish(one, 9).is_none());
    assert!(finish(collector(&[(Pool::Decode, 0), (Pool::Decode, 1)]), 9).is_none());
}

#[test]
fn queueing_is_from_arrival_to_the_first_dispatch() {
    let workers = [(Pool::Prefill, 0), (Pool::Decode, 0), (Pool::Decode, 1)];
    let mut run = collector(&workers);
    for (request, waits) in [(0, 0), (1, 3_000_000), (2, 0), (3, 5_000_000)] {
        run.arrived(&arrival(request, 1000, 10, 1));
        send(&mut run, 1000 + waits, Pool::Prefill, request, 0);
        let prefilled = stamp(1000 + waits + 7);
        run.prefilled(worker(Pool::Prefill, 0), prefilled, RequestId(request));
        send(
            &mut run,
            1000 + waits + 9,
            Pool::Decode,
            request,
            request % 2,
        );
    }
    run.rejected(at(20_000_000), RequestId(3), Rejection::NoOutput);
    let router = finish(run, SECOND).unwrap();
    assert_eq!((router.dispatched, router.waited), (4, 2));
    let queueing = router.queueing;
    assert_eq!(
        (queueing.count, queueing.mean, queueing.median, queueing.max),
        (4, 2.0, 3.0, 5.0)
    );
    let prefill = router.prefill.unwrap();
    assert_eq!((prefill.dispatched, prefill.workers), (4, 1));
    assert!(prefill.spread.is_empty(), "one worker is always even");
    assert_eq!((router.decode.dispatched, router.decode.workers), (4, 2));
    assert_eq!(router.hit_rate, None);
}

#[test]
fn hit_rates_are_means_over_requests() {
    let mut run = collector(&[(Pool::Decode, 0)]);
    for (request, blocks, best_blocks, isl_blocks) in [(0, 0, 1, 2), (1, 300, 400, 400)] {
        run.arrived(&arrival(request, 0, 10, 1));
        let overlap = Overlap {
            blocks,
            best_blocks,
            isl_blocks,
        };
        let dispatch = Dispatch {
            request: RequestId(request),
            worker: WorkerId(0),
            overlap: Some(overlap),
        };
        run.dispatched(at(0), Pool::Decode, &dispatch);
    }
    let expected = HitRate {
        requests: 2,
        believed: 0.375,
        best_available: 0.75,
    };
    assert_eq!(finish(run, 1).unwrap().hit_rate, Some(expected));
}

/// Loads over one window: worker 0 has a request all of the time, worker 1 for
/// a third of it.
fn spread_run(unfinished: bool, workers_swapped: bool) -> RouterSummary {
    let mut run = collector(&[(Pool::Decode, 0), (Pool::Decode, 1)]);
    for request in 0..2 {
        run.arrived(&arrival(request, 0, 10, 1));
        send(&mut run, 0, Pool::Decode, request, request);
    }
    let mut ends = vec![(1, 20_000_000)];
    if !unfinished {
        ends.push((0, 60_000_000));
    }
    if workers_swapped {
        ends.reverse();
    }
    for (id, ns) in ends {
        run.completed(worker(Pool::Decode, id), stamp(ns), RequestId(id));
    }
    finish(run, 60_000_000).unwrap()
}

#[test]
fn imbalance_is_of_times_in_flight_in_whatever_order_workers_report() {
    let router = spread_run(false, false);
    let (max_over_mean, variation) = router.decode.mean_spread().unwrap();
    assert!((max_over_mean - 1.5).abs() < 1e-12, "{max_over_mean}");
    assert!((variation - 0.5).abs() < 1e-12, "{variation}");
    assert_eq!(router.decode, spread_run(false, true).decode);
    // A request that never ends is in flight until the run does.
    assert_eq!(router.decode, spread_run(true, false).decode);
}
