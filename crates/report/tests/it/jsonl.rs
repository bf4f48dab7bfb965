//! Per-request records.

use std::io;

use report::{RequestLog, SlaTargets};
use serde_json::{Value, json};
use sim_api::WorkerId;
use sim_api::{Admitted, CoverageTally, Dispatch, Observer, Pool, Rejection, RequestId, RunEnd};
use sim_core::SimDuration;

use crate::stream::{WORKER, arrival, at, stamp};

fn run<W: io::Write>(log: &mut RequestLog<W>) {
    for id in 0..4 {
        log.arrived(&arrival(id, 1_000_000, 100, 3));
    }
    let dispatch = Dispatch {
        request: RequestId(1),
        worker: WorkerId(7),
        overlap: None,
    };
    log.dispatched(at(0), Pool::Decode, &dispatch);
    for (ns, cached_tokens) in [(2_000_000, 64), (9_000_000, 99)] {
        let admitted = Admitted {
            request: RequestId(1),
            at: at(ns),
            cached_tokens,
            again: ns > 5_000_000,
        };
        log.admitted(WORKER, admitted);
    }
    log.first_token(WORKER, stamp(3_000_000), RequestId(1));
    log.second_token(WORKER, stamp(5_000_000), RequestId(1));
    log.completed(WORKER, stamp(8_000_000), RequestId(1));
    log.rejected(at(1), RequestId(2), Rejection::EmptyPrompt);
    log.first_token(WORKER, stamp(4_000_000), RequestId(0));
    log.completed(WORKER, stamp(4_000_000), RequestId(0));
    log.finished(&RunEnd {
        at: at(9_000_000),
        unfinished: 1,
        coverage: CoverageTally::default(),
    });
}

#[test]
fn lines_come_in_order_of_arrival_and_only_tell_what_happened() {
    let sla = SlaTargets {
        itl: Some(SimDuration::from_ns(2_499_999)),
        ..SlaTargets::default()
    };
    let mut lines = Vec::new();
    let mut log = RequestLog::new(&mut lines, sla);
    run(&mut log);
    log.finish().unwrap();
    let text = String::from_utf8(lines).unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<_> = records
        .iter()
        .map(|record| record["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert_eq!(
        records[1],
        json!({
            "id": 1, "session": 1, "turn": 0, "arrival_ms": 1.0, "input_tokens": 100,
            "output_tokens": 3, "first_admission_ms": 2.0, "first_token_ms": 3.0,
            "completion_ms": 8.0, "reused_tokens": 64, "ttft_ms": 2.0, "tpot_ms": 2.5,
            "e2e_latency_ms": 7.0, "decode_worker": 7, "sla_met": false,
        })
    );
    assert_eq!(records[0]["sla_met"], true);
    assert_eq!(records[2]["rejected"], "input length is 0");
    assert_eq!(
        (&records[3]["sla_met"], records[3].get("completion_ms")),
        (&json!(false), None)
    );
}

#[test]
fn a_full_disk_is_told_once() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("disk full"))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut log = RequestLog::new(Full, SlaTargets::default());
    run(&mut log);
    assert!(log.finish().unwrap_err().to_string().contains("disk full"));
}
