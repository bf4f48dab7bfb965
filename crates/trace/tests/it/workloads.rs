//! Order and times of arrivals.

use std::sync::Arc;

use proptest::prelude::*;
use sim_api::{Quirk, Quirks};
use sim_core::SimDuration;
use trace::{Load, Pacing, Spacing, Synthetic, Window, WorkloadSpec};

use crate::playing::{OPEN, of_rows, parse, play, spec, times};

const MS: SimDuration = SimDuration::from_ns(1_000_000);
const CLOSED: Pacing = Pacing::Closed { concurrency: 1 };

const UNSORTED: &str = r#"
    {"timestamp": 120, "input_length": 4, "output_length": 1, "hash_ids": [1]}
    {"timestamp": 100, "input_length": 4, "output_length": 1, "hash_ids": [2]}
    {"timestamp": 120, "input_length": 4, "output_length": 1, "hash_ids": [3]}
    {"timestamp": 105, "input_length": 4, "output_length": 1, "hash_ids": [4]}
"#;

const SESSIONS: &str = r#"
    {"session_id": "a", "timestamp": 10, "input_length": 4, "output_length": 1, "hash_ids": [1]}
    {"timestamp": 11, "input_length": 4, "output_length": 1, "hash_ids": [9]}
    {"session_id": "a", "timestamp": 30, "input_length": 8, "output_length": 1, "hash_ids": [1, 2]}
    {"session_id": "a", "delay": 7, "input_length": 8, "output_length": 1, "hash_ids": [1, 3]}
"#;

#[test]
fn flat_arrivals_are_sorted_shifted_and_sped_up() {
    let mut workload = of_rows(UNSORTED, Pacing::Arrivals { speedup: 2.0 }).unwrap();
    assert!(!workload.reacts());
    assert_eq!(workload.len_hint(), Some(4));
    let arrivals = play(workload.as_mut(), MS, usize::MAX);
    let expected = [(1, 0, 0.0), (3, 0, 2.5), (0, 0, 10.0), (2, 0, 10.0)];
    assert_eq!(times(&arrivals), expected);
}

#[test]
fn under_a_cap_file_order_counts_and_times_do_not() {
    let mut workload = of_rows(UNSORTED, CLOSED).unwrap();
    let arrivals = play(workload.as_mut(), MS, 1);
    let expected = [(0, 0, 0.0), (1, 0, 1.0), (2, 0, 2.0), (3, 0, 3.0)];
    assert_eq!(times(&arrivals), expected);
}

#[test]
fn a_turn_waits_for_the_one_before_it_and_its_delay() {
    let mut workload = of_rows(SESSIONS, OPEN).unwrap();
    assert!(workload.reacts());
    let arrivals = play(workload.as_mut(), MS * 5, usize::MAX);
    // Ends at 5; 20 later the second turn, which ends at 30; 7 later the third.
    let expected = [(0, 0, 0.0), (1, 0, 1.0), (0, 1, 25.0), (0, 2, 37.0)];
    assert_eq!(times(&arrivals), expected);
}

#[test]
fn delays_are_sped_up_in_trace_mode_and_kept_under_a_cap() {
    let mut workload = of_rows(SESSIONS, Pacing::Arrivals { speedup: 2.0 }).unwrap();
    let arrivals = play(workload.as_mut(), MS * 5, usize::MAX);
    let expected = [(0, 0, 0.0), (1, 0, 0.5), (0, 1, 15.0), (0, 2, 23.5)];
    assert_eq!(times(&arrivals), expected);
    let mut workload = of_rows(SESSIONS, CLOSED).unwrap();
    let arrivals = play(workload.as_mut(), MS * 5, 1);
    let expected = [(0, 0, 0.0), (1, 0, 5.0), (0, 1, 25.0), (0, 2, 37.0)];
    assert_eq!(times(&arrivals), expected);
}

fn windowed(rows: &str, window: Window) -> Vec<(u32, u32, f64)> {
    let mut spec = spec(Load::Trace(Arc::new(parse(rows, 4))), OPEN);
    spec.window = window;
    let mut workload = spec.build().unwrap();
    let arrivals = play(workload.as_mut(), MS * 5, usize::MAX);
    assert_eq!(workload.len_hint(), Some(arrivals.len() as u64));
    times(&arrivals)
}

#[test]
fn a_window_takes_sessions_by_their_start_and_rows_in_file_order() {
    let window = Window {
        from_s: Some(0.005),
        ..Window::default()
    };
    assert_eq!(
        windowed(UNSORTED, window),
        [(3, 0, 0.0), (0, 0, 15.0), (2, 0, 15.0)]
    );
    let window = Window {
        to_s: Some(0.02),
        ..Window::default()
    };
    assert_eq!(windowed(UNSORTED, window), [(1, 0, 0.0), (3, 0, 5.0)]);
    let window = Window {
        limit: Some(3),
        ..Window::default()
    };
    assert_eq!(
        windowed(SESSIONS, window),
        [(0, 0, 0.0), (1, 0, 1.0), (0, 1, 25.0)]
    );
    let window = Window {
        limit: Some(2),
        ..Window::default()
    };
    assert_eq!(windowed(SESSIONS, window), [(0, 0, 0.0), (1, 0, 1.0)]);
}

fn shared(load: Synthetic, quirks: Quirks) -> Vec<u32> {
    let mut spec = spec(Load::Synthetic(load), OPEN);
    spec.quirks = quirks;
    spec.engine_block_size = 8;
    let mut workload = spec.build().unwrap();
    let all = play(workload.as_mut(), MS, usize::MAX);
    assert_eq!(workload.len_hint(), Some(all.len() as u64));
    (1..all.len())
        .map(|later| {
            let blocks = |earlier: usize| all[later].prompt.shared_blocks(&all[earlier].prompt);
            (0..later).map(blocks).max().unwrap_or(0)
        })
        .collect()
}

#[test]
fn synthetic_groups_share_a_prefix_and_collapse_under_the_quirk() {
    let load = Synthetic {
        shared_prefix_ratio: 0.5,
        num_prefix_groups: 4,
        ..Synthetic::plain(32, 2, 6)
    };
    // Groups 0, 2, 0, 2, 3, 2; two of four blocks are shared.
    assert_eq!(shared(load, Quirks::NONE), [0, 2, 2, 0, 2]);
    let collapsed = Quirks::NONE.with(Quirk::IdsCutTo32Bits);
    assert_eq!(shared(load, collapsed), [2, 2, 2, 2, 2]);
    let ungrouped = Synthetic {
        num_prefix_groups: 0,
        ..load
    };
    assert_eq!(shared(ungrouped, Quirks::NONE), [0; 5]);
    let whole = Synthetic {
        shared_prefix_ratio: 1.0,
        num_prefix_groups: 1,
        ..Synthetic::plain(30, 2, 3)
    };
    assert_eq!(shared(whole, Quirks::NONE), [3, 3]);
}

#[test]
fn synthetic_sessions_interleave_with_later_turns() {
    let load = Synthetic {
        turns_per_session: 2,
        inter_turn_delay_ms: 10.0,
        spacing: Spacing::Interval { ms: 5.0 },
        ..Synthetic::plain(16, 2, 2)
    };
    let mut workload = spec(Load::Synthetic(load), OPEN).build().unwrap();
    let arrivals = play(workload.as_mut(), MS * 2, usize::MAX);
    let expected = [(0, 0, 0.0), (1, 0, 5.0), (0, 1, 12.0), (1, 1, 17.0)];
    assert_eq!(times(&arrivals), expected);
    let mut workload = spec(Load::Synthetic(load), CLOSED).build().unwrap();
    let arrivals = play(workload.as_mut(), MS * 2, 1);
    let expected = [(0, 0, 0.0), (1, 0, 2.0), (0, 1, 12.0), (1, 1, 14.0)];
    assert_eq!(times(&arrivals), expected);
}

#[test]
fn a_load_of_many_requests_streams() {
    let load = Synthetic::plain(100, 10, 300_000);
    let mut workload = spec(Load::Synthetic(load), OPEN).build().unwrap();
    let mut out = Vec::new();
    let mut count = 0;
    while let Some(at) = workload.next_arrival().unwrap() {
        workload.release(at, usize::MAX, &mut out).unwrap();
        count += out.drain(..).count();
    }
    assert_eq!(count, 300_000);
    assert!(out.capacity() < 16);
}

fn rows() -> impl Strategy<Value = String> {
    let row = (
        0_u32..4,
        0_u32..60,
        1_u32..12,
        prop::collection::vec(0_u64..3, 1..4),
    );
    prop::collection::vec(row, 1..25).prop_map(|rows| {
        let line = |(session, gap, input, ids): &(u32, u32, u32, Vec<u64>), index: usize| {
            let session = if *session == 0 {
                "null".to_owned()
            } else {
                format!("\"s{session}\"")
            };
            format!(
                "{{\"session_id\":{session},\"timestamp\":{},\"input_length\":{input},\
                 \"output_length\":1,\"hash_ids\":{ids:?}}}\n",
                index as u32 * 7 + gap % 7
            )
        };
        rows.iter()
            .enumerate()
            .map(|(index, row)| line(row, index))
            .collect()
    })
}

proptest! {
    #[test]
    fn every_request_arrives_once_and_in_order(
        rows in rows(), service in 0_u64..40, closed in any::<bool>(), cap in 1_usize..5,
    ) {
        let (pacing, cap) = if closed {
            (Pacing::Closed { concurrency: cap as u64 }, cap)
        } else {
            (OPEN, usize::MAX)
        };
        let trace = parse(&rows, 4);
        let total = trace.len();
        let spec: WorkloadSpec = spec(Load::Trace(Arc::new(trace)), pacing);
        let arrivals = play(spec.build().unwrap().as_mut(), MS * service, cap);
        prop_assert_eq!(arrivals.len(), total);
        let mut next_turn = std::collections::BTreeMap::new();
        for (number, arrival) in arrivals.iter().enumerate() {
            prop_assert_eq!(arrival.id.0 as usize, number);
            let turn = next_turn.entry(arrival.origin.session).or_insert(0);
            prop_assert_eq!(arrival.origin.turn, *turn);
            *turn += 1;
        }
        prop_assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
    }
}
