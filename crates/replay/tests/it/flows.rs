//! The four flows that the seams must carry, with toy parts.

use std::sync::{Arc, Mutex};

use replay::{KvTransfer, TransferTiming};
use sim_api::{Quirk, Quirks, WorkerId};
use sim_core::{SimDuration, SimTime};

use crate::toy::{ToyLoad, ToyPolicy, ToyRouter, Toys};

#[test]
fn round_robin_open_loop_touches_only_the_engine_that_is_sent_to() {
    let load = ToyLoad::new(&[(0, 3), (5, 1), (5, 0), (12, 2)]);
    let (log, end) = Toys::aggregated(2).run(load, ToyRouter::default(), None);
    assert_eq!(
        log.of(&["sent", "rejected", "done"]),
        [
            "sent 0 to decode 0 @0",
            "sent 1 to decode 1 @5",
            "rejected 2 @5: output length is 0",
            "sent 3 to decode 0 @12",
            // Worker 0 ran ahead to its end, then worker 1 was looked at.
            "done 0 by 0 @30",
            "done 3 by 0 @40",
            "done 1 by 1 @15",
        ]
    );
    assert_eq!((end.at, end.unfinished), (SimTime::from_ns(40), 0));
}

#[test]
fn a_router_that_keeps_requests_back_is_woken_by_outcomes() {
    let load = ToyLoad::new(&[(0, 2), (1, 1), (2, 1)]);
    let (log, _) = Toys::aggregated(1).run(load, ToyRouter::one_at_a_time(), None);
    assert_eq!(
        log.of(&["sent", "done"]),
        [
            "sent 0 to decode 0 @0",
            "done 0 by 0 @20",
            "sent 1 to decode 0 @20",
            "done 1 by 0 @30",
            "sent 2 to decode 0 @30",
            "done 2 by 0 @40",
        ]
    );
}

#[test]
fn a_planner_tick_sees_all_passes_in_order_and_scales() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let policy = ToyPolicy {
        steps: [(20, 2), (21, 3), (22, 1), (70, 1)].into(),
        seen: Arc::clone(&seen),
    };
    let load = ToyLoad::new(&[(0, 1), (3, 4), (50, 3), (50, 2), (51, 1)]);
    let (log, _) = Toys::aggregated(2).run(load, ToyRouter::default(), Some(Box::new(policy)));
    assert_eq!(
        log.of(&["worker"]),
        [
            "worker 0 Ready @0",
            "worker 1 Ready @0",
            "worker 2 Starting @21",
            "worker 2 Cancelled @22",
            "worker 1 Draining @22",
            "worker 1 Gone @43",
        ]
    );
    assert_eq!(
        log.of(&["sent"])[2..],
        [
            "sent 2 to decode 0 @50",
            "sent 3 to decode 0 @50",
            "sent 4 to decode 0 @51"
        ]
    );
    let seen = seen.lock().unwrap();
    let starts: Vec<_> = seen[0]
        .decode
        .passes
        .iter()
        .map(|row| (row.start.as_ns(), row.worker))
        .collect();
    assert_eq!(
        starts,
        [(0, WorkerId(0)), (3, WorkerId(1)), (13, WorkerId(1))]
    );
    assert_eq!(seen[0].traffic.unwrap().requests, 1);
    assert_eq!(seen[0].now, SimTime::from_ns(20));
    assert_eq!(seen[1].decode.passes, []);
    assert_eq!(seen.len(), 4);
    // Requests 1 at 43, and 3 and 4 at the tick's own instant.
    assert_eq!(seen[3].traffic.unwrap().requests, 3);
}

#[test]
fn the_reference_clock_stops_at_the_last_event_but_never_for_good() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let policy = ToyPolicy {
        steps: [(20, 1), (27, 1), (27, 1), (40, 1)].into(),
        seen: Arc::clone(&seen),
    };
    let toys = Toys {
        quirks: Quirks::NONE.with(Quirk::TickAtLastEvent),
        ..Toys::aggregated(1)
    };
    let load = ToyLoad::new(&[(3, 1), (28, 2)]);
    toys.run(load, ToyRouter::default(), Some(Box::new(policy)));
    let clocks: Vec<u64> = seen.lock().unwrap().iter().map(|o| o.now.as_ns()).collect();
    assert_eq!(clocks, [13, 13, 27, 38]);
}

#[test]
fn hand_off_with_a_concurrency_cap() {
    let load = ToyLoad::closed_loop(&[(0, 2), (0, 1), (0, 1)]);
    let toys = Toys {
        prefill: Some(1),
        concurrency: Some(2),
        // 4 tokens of 7 bytes over 10^9 bytes a second: 28 ns.
        transfer: KvTransfer::new(Some(7), Some(1.0), TransferTiming::FullPrompt),
        ..Toys::aggregated(1)
    };
    let (log, end) = toys.run(load, ToyRouter::default(), None);
    assert_eq!(
        log.of(&["arrived", "prefilled", "sent", "done"]),
        [
            "arrived 0 @0",
            "sent 0 to prefill 0 @0",
            "arrived 1 @0",
            "sent 1 to prefill 0 @0",
            "prefilled 0 @10",
            "prefilled 1 @10",
            "sent 0 to decode 0 @38",
            "sent 1 to decode 0 @38",
            "done 1 by 0 @48",
            "arrived 2 @48",
            "sent 2 to prefill 0 @48",
            // Observers hear the prefill pool first; the loop settles by pass start.
            "prefilled 2 @58",
            "done 0 by 0 @58",
            "sent 2 to decode 0 @86",
            "done 2 by 0 @96",
        ]
    );
    assert_eq!(end.unfinished, 0);
}

#[test]
fn a_transfer_frees_its_slot_only_as_the_quirk_says() {
    let load = ToyLoad::closed_loop(&[(0, 1), (0, 1)]);
    let toys = Toys {
        prefill: Some(1),
        concurrency: Some(1),
        transfer: KvTransfer::new(Some(7), Some(1.0), TransferTiming::FullPrompt),
        quirks: Quirks::NONE.with(Quirk::TransferFreesSlot),
        ..Toys::aggregated(1)
    };
    let (log, _) = toys.run(load, ToyRouter::default(), None);
    assert_eq!(log.of(&["arrived"]), ["arrived 0 @0", "arrived 1 @10"]);
}

#[test]
fn loads_are_sampled_evenly_at_first_and_ever_more_rarely_in_a_run_that_does_not_end() {
    let toys = Toys {
        load_sampling: Some(SimDuration::from_ns(2)),
        ..Toys::aggregated(1)
    };
    // A million intervals of 2 ns.
    let (log, _) = toys.run(ToyLoad::new(&[(0, 200_000)]), ToyRouter::default(), None);
    let samples = log.of(&["load"]);
    assert_eq!(samples[..3], ["load 0 @2", "load 0 @4", "load 0 @6"]);
    assert!((1024..10_000).contains(&samples.len()), "{}", samples.len());
}
