//! The observer behind the charts.

use sim_api::{
    Admitted, Arrival, Dispatch, Observer, PassDurations, Pool, Preempted, Rejection, RequestId,
    RunEnd, Stamp, TickRecord, TokenGaps, WorkerId, WorkerLoad, WorkerProfile, WorkerRef,
};
use sim_core::{SimDuration, SimTime};

use super::Bins;
use super::ticks::TickLog;
use crate::SlaTargets;
use crate::collect::Window;
use crate::sla::Latency;

/// A request in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    arrived: SimTime,
    first_token: SimTime,
    input_tokens: u32,
    output_tokens: u32,
    /// Prefill, decode.
    admitted: [bool; 2],
}

/// Watches a run for the charts of an HTML report.
///
/// At most 256 stretches of time and 2048 planner ticks are kept, whatever the
/// length of the run: about 10 MB. Percentiles over time are within 1.6 %.
///
/// Queue depth, batch size and KV use need load samples
/// ([`Observer::load`]): planner runs make them at their ticks, others at the
/// interval that the run is given.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    pub(crate) sla: SlaTargets,
    pub(crate) bins: Bins,
    pub(crate) ticks: TickLog,
    pub(crate) end: SimTime,
    flights: Window<Flight>,
    /// Last load sample of the prefill and of the decode pool.
    sampled: [Option<(SimTime, WorkerId)>; 2],
    /// KV tokens that fit on a worker of the prefill and the decode pool.
    kv_capacity: [Option<u64>; 2],
}

impl Timeline {
    /// A timeline of a run that has not begun.
    pub fn new(sla: SlaTargets) -> Self {
        Self {
            sla,
            ..Self::default()
        }
    }

    /// KV tokens that fit on one worker of `pool`, if the run has that pool.
    pub(crate) fn kv_capacity(&self, pool: Pool) -> Option<u64> {
        self.kv_capacity[index(pool)]
    }

    /// `passes` tokens for each of `requests` requests, one every `each`.
    fn equal_gaps(&mut self, start: SimTime, each: SimDuration, passes: u32, requests: u32) {
        let passes = u64::from(passes);
        let mut done = 0;
        while done < passes {
            let token = start + each * (done + 1);
            let last_ns = self.bins.end_of(token).as_ns() - 1;
            // Up to which pass tokens still come before the end of the bin.
            let until = match each.as_ns() {
                0 => passes,
                ns => ((last_ns - start.as_ns()) / ns).clamp(done + 1, passes),
            };
            let count = (until - done) * u64::from(requests);
            let bin = self.bins.at(token);
            bin.output_tokens += count;
            bin.itl.add(each.as_ns(), saturated(count));
            done = until;
        }
    }

    fn row_gaps(&mut self, start: SimTime, values: &[u64], requests: u32) {
        let mut token = start;
        let mut rest = values;
        while let Some(&first) = rest.first() {
            let end = self.bins.end_of(token + SimDuration::from_ns(first));
            let bin = self.bins.at(token + SimDuration::from_ns(first));
            let mut taken = 0;
            for &ns in rest {
                let next = token + SimDuration::from_ns(ns);
                if next >= end {
                    break;
                }
                token = next;
                taken += 1;
                bin.itl.add(ns, requests);
            }
            bin.output_tokens += taken as u64 * u64::from(requests);
            rest = &rest[taken..];
        }
    }
}

fn index(pool: Pool) -> usize {
    usize::from(pool == Pool::Decode)
}

fn saturated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Observer for Timeline {
    fn pool(&mut self, pool: Pool, profile: &WorkerProfile) {
        let tokens = u64::from(profile.blocks) * u64::from(profile.block_tokens);
        self.kv_capacity[index(pool)] = Some(tokens);
    }

    fn arrived(&mut self, arrival: &Arrival) {
        self.bins.at(arrival.at).arrivals += 1;
        let flight = Flight {
            arrived: arrival.at,
            first_token: arrival.at,
            input_tokens: arrival.prompt.tokens(),
            output_tokens: arrival.output_tokens,
            admitted: [false; 2],
        };
        self.flights.insert(arrival.id, flight);
    }

    fn rejected(&mut self, at: SimTime, request: RequestId, _why: Rejection) {
        self.flights.remove(request);
        self.bins.at(at).rejections += 1;
    }

    fn dispatched(&mut self, at: SimTime, pool: Pool, dispatch: &Dispatch) {
        let first = if self.kv_capacity[index(Pool::Prefill)].is_some() {
            Pool::Prefill
        } else {
            Pool::Decode
        };
        if pool != first {
            return;
        }
        if let Some(flight) = self.flights.get_mut(dispatch.request) {
            let waited = at.saturating_since(flight.arrived);
            self.bins.at(flight.arrived).routed.wait(waited);
        }
        if let Some(overlap) = dispatch.overlap {
            self.bins.at(at).routed.hits.add(overlap);
        }
    }

    fn admitted(&mut self, worker: WorkerRef, admitted: Admitted) {
        let Some(flight) = self.flights.get_mut(admitted.request) else {
            return;
        };
        let seen = &mut flight.admitted[index(worker.pool)];
        if !std::mem::replace(seen, true) {
            let bin = self.bins.at(admitted.at);
            bin.admitted_tokens += u64::from(flight.input_tokens);
            bin.reused_tokens += u64::from(admitted.cached_tokens);
        }
    }

    fn preempted(&mut self, _worker: WorkerRef, preempted: Preempted) {
        self.bins.at(preempted.at).preemptions += 1;
    }

    fn first_token(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.bins.at(stamp.at).output_tokens += 1;
        if let Some(flight) = self.flights.get_mut(request) {
            flight.first_token = stamp.at;
            let ttft = stamp.at.saturating_since(flight.arrived);
            self.bins.at(flight.arrived).ttft.add(ttft.as_ns(), 1);
        }
    }

    fn completed(&mut self, _worker: WorkerRef, stamp: Stamp, request: RequestId) {
        self.bins.at(stamp.at).completions += 1;
        let Some(flight) = self.flights.remove(request) else {
            return;
        };
        let met = self.sla.met(Latency {
            ttft: flight.first_token.saturating_since(flight.arrived),
            e2e: stamp.at.saturating_since(flight.arrived),
            output_tokens: flight.output_tokens,
        });
        let bin = self.bins.at(flight.arrived);
        bin.met += u64::from(met.all());
        bin.met_ttft += u64::from(met.ttft);
        bin.met_itl += u64::from(met.itl);
        bin.met_e2e += u64::from(met.e2e);
    }

    fn gaps(&mut self, _worker: WorkerRef, gaps: &TokenGaps<'_>) {
        let end = gaps.start.saturating_add(gaps.durations.total());
        self.bins.fit(end);
        match gaps.durations {
            PassDurations::Constant { each, passes } => {
                self.equal_gaps(gaps.start, each, passes, gaps.requests);
            }
            PassDurations::Row { values, .. } => self.row_gaps(gaps.start, values, gaps.requests),
        }
    }

    fn load(&mut self, at: SimTime, worker: WorkerRef, load: &WorkerLoad) {
        let sampled = &mut self.sampled[index(worker.pool)];
        // Workers come in the order of their ids; a pool may be sampled twice
        // at one instant, for the planner and for the observers.
        let fresh = sampled.is_none_or(|(last, id)| last != at || worker.id <= id);
        *sampled = Some((at, worker.id));
        let sums = self.bins.at(at).load_mut(worker.pool);
        sums.instants += u64::from(fresh);
        sums.workers += 1;
        sums.waiting += u64::from(load.waiting);
        sums.running += u64::from(load.running);
        sums.active_blocks += u64::from(load.active_blocks);
        sums.inactive_blocks += u64::from(load.inactive_blocks);
        sums.total_blocks += u64::from(load.total_blocks);
    }

    fn tick(&mut self, record: &TickRecord) {
        self.ticks.add(record);
    }

    fn finished(&mut self, end: &RunEnd) {
        self.end = end.at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORKER: WorkerRef = WorkerRef {
        pool: Pool::Decode,
        id: WorkerId(0),
    };

    proptest! {
        #[test]
        fn runs_of_passes_fall_into_the_bins_of_their_tokens(
            start in 0_u64..3_000_000_000, each in 0_u64..200_000_000, passes in 1_u32..40, far in 0_u64..100
        ) {
            let values = vec![each; passes as usize];
            let durations = [
                PassDurations::Constant { each: SimDuration::from_ns(each), passes },
                PassDurations::Row { key: 0, first: 0, values: &values },
            ];
            let mut naive = Bins::default();
            naive.fit(SimTime::from_ns(far * 1_000_000_000));
            naive.fit(SimTime::from_ns(start + each * u64::from(passes)));
            for pass in 1..=u64::from(passes) {
                naive.at(SimTime::from_ns(start + each * pass)).output_tokens += 3;
            }
            let naive: Vec<u64> = naive.iter().map(|bin| bin.output_tokens).collect();
            for durations in durations {
                let mut timeline = Timeline::default();
                timeline.bins.fit(SimTime::from_ns(far * 1_000_000_000));
                let start = SimTime::from_ns(start);
                timeline.gaps(WORKER, &TokenGaps { start, requests: 3, durations });
                let ours: Vec<u64> = timeline.bins.iter().map(|bin| bin.output_tokens).collect();
                prop_assert_eq!(&ours, &naive);
            }
        }
    }

    #[test]
    fn an_instant_counts_once_however_many_workers_it_samples() {
        let mut timeline = Timeline::default();
        let load = WorkerLoad {
            waiting: 3,
            running: 2,
            ..WorkerLoad::default()
        };
        for (ns, id) in [(0, 0), (0, 1), (5, 0), (5, 1), (5, 0), (5, 1)] {
            let id = WorkerId(id);
            timeline.load(SimTime::from_ns(ns), WorkerRef { id, ..WORKER }, &load);
        }
        let sums = timeline.bins.at(SimTime::ZERO).load(Pool::Decode);
        assert_eq!((sums.instants, sums.workers, sums.waiting), (3, 6, 18));
    }
}
