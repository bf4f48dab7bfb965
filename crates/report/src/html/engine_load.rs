//! The load of single engines over a planner's ticks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sim_api::{EngineLoadRecord, Pool, TickRecord};

use super::chart::{Chart, Series, Shape, Times};
use crate::timeline::Timeline;

/// Workers at one tick that still get a line each.
const MOST_LINES: usize = 16;

const COLORS: [&str; 8] = [
    "blue", "orange", "green", "red", "purple", "teal", "pink", "yellow",
];

/// The load of a pool's workers at the ticks kept: a line each, or the most,
/// the median and the least loaded of many.
pub(crate) fn engine_load(timeline: &Timeline, pool: Pool) -> Chart {
    let ticks = timeline.ticks.kept();
    let (title, axis, caption) = match pool {
        Pool::Prefill => (
            "Prefill engine load",
            "Queued prompt tokens",
            "A line a prefill worker.",
        ),
        Pool::Decode => (
            "Decode engine load",
            "KV tokens, queued and running",
            "A line a decode worker.",
        ),
    };
    let mut chart = Chart::new(title, axis, caption);
    let most = ticks
        .iter()
        .map(|tick| loads(tick, pool).count())
        .max()
        .unwrap_or(0);
    if most > MOST_LINES {
        chart.caption = Cow::Owned(format!("Of up to {most} workers at a time."));
        for series in spread(ticks, pool) {
            chart = chart.with(series);
        }
    } else {
        for series in lines(ticks, pool) {
            chart = chart.with(series);
        }
    }
    if pool == Pool::Prefill {
        return chart;
    }
    let capacity = timeline.kv_capacity(pool).map(|tokens| tokens as f64);
    chart.level(capacity, |tokens| {
        let text = crate::table::number(tokens);
        format!("KV capacity ({})", text.trim_end_matches(".00"))
    })
}

/// Workers of a pool at a tick with their loads.
fn loads(tick: &TickRecord, pool: Pool) -> impl Iterator<Item = (u32, f64)> {
    let load: fn(&EngineLoadRecord) -> u64 = match pool {
        Pool::Prefill => |engine| engine.queued_prefill_tokens,
        Pool::Decode => |engine| engine.queued_decode_kv_tokens + engine.inflight_decode_kv_tokens,
    };
    let engines = tick.engines.iter();
    engines
        .filter(move |engine| engine.pool == pool)
        .map(move |engine| (engine.worker.0, load(engine) as f64))
}

/// A line of the chart, which workers share that do not live at the same time.
struct Lane {
    values: Vec<Option<f64>>,
    notes: Vec<String>,
    /// Where it last had a value.
    last: usize,
}

/// A planner replaces workers again and again, so there are many more of them
/// in a run than at any time: a new one takes the first line that has ended.
fn lines(ticks: &[TickRecord], pool: Pool) -> impl Iterator<Item = Series> {
    let letter = match pool {
        Pool::Prefill => 'P',
        Pool::Decode => 'D',
    };
    let mut lanes: Vec<Lane> = Vec::new();
    let mut lane_of: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, tick) in ticks.iter().enumerate() {
        lane_of.retain(|_, lane| lanes[*lane].last + 1 >= index);
        for (worker, load) in loads(tick, pool) {
            let lane = *lane_of.entry(worker).or_insert_with(|| {
                // A gap of a tick keeps the lines of two workers apart.
                let ended = lanes.iter().position(|lane| lane.last + 1 < index);
                ended.unwrap_or_else(|| {
                    lanes.push(Lane {
                        values: vec![None; ticks.len()],
                        notes: vec![String::new(); ticks.len()],
                        last: 0,
                    });
                    lanes.len() - 1
                })
            });
            let lane = &mut lanes[lane];
            lane.last = index;
            lane.values[index] = Some(load);
            lane.notes[index] = format!("{letter} {worker}: {}", super::answer::count(load as u64));
        }
    }
    lanes.into_iter().enumerate().map(move |(index, lane)| {
        let style = (Shape::BrokenLine, COLORS[index % COLORS.len()]);
        let name = format!("{letter}, line {}", index + 1);
        Series {
            legend: false,
            notes: lane.notes,
            ..Series::new(name, Times::Ticks, lane.values, style)
        }
    })
}

fn spread(ticks: &[TickRecord], pool: Pool) -> [Series; 3] {
    let sorted: Vec<Vec<f64>> = ticks
        .iter()
        .map(|tick| {
            let mut values: Vec<f64> = loads(tick, pool).map(|(_, load)| load).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        })
        .collect();
    let line = |name: &str, color, pick: fn(&[f64]) -> Option<f64>| {
        let values = sorted.iter().map(|values| pick(values)).collect();
        Series::new(name, Times::Ticks, values, (Shape::BrokenLine, color))
    };
    [
        line("Most loaded", "red", |values| values.last().copied()),
        line("Median", "blue", |values| {
            values.get(values.len() / 2).copied()
        }),
        line("Least loaded", "teal", |values| values.first().copied()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_api::WorkerId;
    use sim_core::SimTime;

    fn tick(workers: impl IntoIterator<Item = u32>) -> TickRecord {
        let engine = |id: u32| EngineLoadRecord {
            pool: Pool::Decode,
            worker: WorkerId(id),
            queued_prefill_tokens: 0,
            queued_decode_kv_tokens: u64::from(id),
            inflight_decode_kv_tokens: 0,
        };
        TickRecord {
            tick: 0,
            due: SimTime::from_ns(0),
            at: SimTime::from_ns(0),
            prefill_ready: None,
            decode_ready: 1,
            values: BTreeMap::new(),
            reasons: BTreeMap::new(),
            engines: workers.into_iter().map(engine).collect(),
            targets: None,
        }
    }

    #[test]
    fn workers_that_come_later_take_the_lines_of_those_that_went() {
        let ticks = [
            tick([0, 1]),
            tick([0]),
            tick([0]),
            tick([0, 2]),
            tick([0, 2, 3]),
        ];
        let drawn: Vec<Vec<Option<f64>>> = lines(&ticks, Pool::Decode)
            .map(|series| series.values)
            .collect();
        assert_eq!(drawn.len(), 3);
        assert_eq!(drawn[0], [Some(0.0); 5]);
        assert_eq!(drawn[1], [Some(1.0), None, None, Some(2.0), Some(2.0)]);
        assert_eq!(drawn[2], [None, None, None, None, Some(3.0)]);
    }

    #[test]
    fn of_many_workers_the_extremes_and_the_middle_are_drawn() {
        let [most, median, least] = spread(&[tick(0..101), tick([])], Pool::Decode);
        assert_eq!(most.values, [Some(100.0), None]);
        assert_eq!(median.values, [Some(50.0), None]);
        assert_eq!(least.values, [Some(0.0), None]);
    }
}
