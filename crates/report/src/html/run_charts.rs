//! Charts that every run has.

use sim_api::Pool;
use sim_core::SimDuration;

use super::chart::{Chart, Series, Shape, Times};
use crate::Summary;
use crate::planner::{PoolSize, ReplicaPoint};
use crate::timeline::{Bin, PoolLoad, Sketch, Timeline};

const PERCENTILES: [(&str, f64, &str); 3] = [
    ("p50", 50.0, "blue"),
    ("p90", 90.0, "orange"),
    ("p99", 99.0, "purple"),
];

/// Requests of a bin that met a target.
type MetCount = fn(&Bin) -> u64;
/// Workers of a pool in a state.
type StateCount = fn(PoolSize) -> u32;

/// The charts of a run, those without anything to see left out.
pub(crate) fn run_charts(summary: &Summary, timeline: &Timeline) -> Vec<Chart> {
    let view = View { summary, timeline };
    let charts = [
        view.ttft(),
        view.itl(),
        view.attainment(),
        view.replicas(),
        view.requests(),
        view.in_system(),
        view.output(),
        view.prompts(),
        view.queue(),
        view.batch(),
        view.kv_use(),
        view.reuse(),
        view.preemptions(),
        view.gpu_hours(),
    ];
    charts
        .into_iter()
        .filter(|chart| !chart.is_empty())
        .map(Chart::in_fitting_unit)
        .collect()
}

/// The middles of the time bins in seconds.
pub(crate) fn bin_times(timeline: &Timeline) -> Vec<f64> {
    let width = timeline.bins.width_s();
    let middles = (0..timeline.bins.iter().count()).map(|index| (index as f64 + 0.5) * width);
    middles.map(|at| at.min(timeline.end.as_secs())).collect()
}

/// A target as a line with its value.
pub(crate) fn target_line(chart: Chart, target: Option<SimDuration>) -> Chart {
    chart.level(target.map(SimDuration::as_ms), |ms| {
        let text = crate::table::number(ms);
        format!("SLA ({} ms)", text.trim_end_matches(".00"))
    })
}

struct View<'a> {
    summary: &'a Summary,
    timeline: &'a Timeline,
}

impl View<'_> {
    fn bins(
        &self,
        name: impl Into<String>,
        color: &'static str,
        value: impl FnMut(&Bin) -> Option<f64>,
    ) -> Series {
        let values = self.timeline.bins.iter().map(value).collect();
        Series::new(name, Times::Bins, values, (Shape::Line, color))
    }

    /// The pools of the deployment with their names and colours.
    fn pools(&self) -> Vec<(Pool, &'static str, &'static str)> {
        match self.summary.prefill {
            Some(_) => vec![
                (Pool::Prefill, "Prefill", "blue"),
                (Pool::Decode, "Decode", "orange"),
            ],
            None => vec![(Pool::Decode, "Workers", "blue")],
        }
    }

    fn percentiles(&self, mut chart: Chart, sketch: impl Fn(&Bin) -> &Sketch) -> Chart {
        for (name, q, color) in PERCENTILES {
            chart = chart.with(self.bins(name, color, |bin| sketch(bin).percentile_ms(q)));
        }
        chart
    }

    fn ttft(&self) -> Chart {
        let chart = Chart::new(
            "Time to first token",
            "TTFT (ms)",
            "Of the requests that arrived at that time.",
        );
        let chart = self.percentiles(chart, |bin| &bin.ttft);
        target_line(chart, self.timeline.sla.ttft)
    }

    fn itl(&self) -> Chart {
        let chart = Chart::new(
            "Inter-token latency",
            "ITL (ms)",
            "Gaps before the tokens that came at that time.",
        );
        let chart = self.percentiles(chart, |bin| &bin.itl);
        target_line(chart, self.timeline.sla.itl)
    }

    fn attainment(&self) -> Chart {
        let mut chart = Chart::new(
            "SLA attainment",
            "Requests within target (%)",
            "Of the requests that arrived at that time; rejected and unfinished ones miss.",
        );
        chart.most = Some(100.0);
        let sla = &self.timeline.sla;
        if sla.is_empty() {
            return chart;
        }
        let share = |met: u64, bin: &Bin| {
            (bin.arrivals > 0).then(|| met as f64 / bin.arrivals as f64 * 100.0)
        };
        let single = [sla.ttft, sla.itl, sla.e2e].into_iter().flatten().count() == 1;
        let all = self.bins("All targets", "green", |bin| share(bin.met, bin));
        if single {
            return chart.with(all);
        }
        let met: [(_, _, _, MetCount); 3] = [
            (sla.ttft, "TTFT", "blue", |bin| bin.met_ttft),
            (sla.itl, "ITL", "orange", |bin| bin.met_itl),
            (sla.e2e, "E2E", "purple", |bin| bin.met_e2e),
        ];
        for (target, name, color, met) in met {
            if target.is_some() {
                let series = self.bins(name, color, |bin| share(met(bin), bin));
                chart = chart.with(Series {
                    shape: Shape::Dotted,
                    ..series
                });
            }
        }
        // Last, so that it lies on top.
        chart.with(all)
    }

    fn rate(&self, name: &str, color: &'static str, count: impl Fn(&Bin) -> u64) -> Series {
        let width = self.timeline.bins.width_s();
        self.bins(name, color, move |bin| Some(count(bin) as f64 / width))
    }

    fn requests(&self) -> Chart {
        Chart::new(
            "Request rate",
            "Requests per second",
            "Arrivals and completions.",
        )
        .with(self.rate("Arrivals", "blue", |bin| bin.arrivals))
        .with(self.rate("Completions", "green", |bin| bin.completions))
        .with(some_if(self.summary.rejected > 0, || {
            self.rate("Rejections", "red", |bin| bin.rejections)
        }))
    }

    fn in_system(&self) -> Chart {
        let mut present = 0_i64;
        let series = self.bins("In the system", "purple", |bin| {
            present += bin.arrivals as i64 - (bin.completions + bin.rejections) as i64;
            Some(present.max(0) as f64)
        });
        Chart::new(
            "Requests in the system",
            "Requests",
            "Arrived and neither completed nor rejected: queued, running or handed over.",
        )
        .with(series)
    }

    fn output(&self) -> Chart {
        Chart::new(
            "Output throughput",
            "Output tokens per second",
            "Tokens at the time they come, all users together.",
        )
        .with(self.rate("Output", "green", |bin| bin.output_tokens))
    }

    fn prompts(&self) -> Chart {
        Chart::new(
            "Prompt throughput",
            "Prompt tokens per second",
            "Prompts at the time of their first admission, and how much of them was cached.",
        )
        .with(self.rate("Admitted", "blue", |bin| bin.admitted_tokens))
        .with(self.rate("Cached", "teal", |bin| bin.reused_tokens))
    }

    fn load(&self, mut chart: Chart, value: impl Fn(&PoolLoad) -> Option<f64> + Copy) -> Chart {
        for (pool, name, color) in self.pools() {
            chart = chart.with(self.bins(name, color, |bin| value(bin.load(pool))));
        }
        chart
    }

    fn queue(&self) -> Chart {
        let chart = Chart::new(
            "Queue depth",
            "Requests waiting",
            "Waiting in the engines of a pool, all workers together.",
        );
        self.load(chart, |load| ratio(load.waiting, load.instants))
    }

    fn batch(&self) -> Chart {
        let chart = Chart::new(
            "Batch size",
            "Requests running per worker",
            "Mean over the workers of a pool.",
        );
        self.load(chart, |load| ratio(load.running, load.workers))
    }

    fn kv_use(&self) -> Chart {
        let mut chart = Chart::new(
            "KV cache use",
            "KV blocks (%)",
            "Blocks that running requests hold, and with those kept for reuse.",
        );
        chart.most = Some(100.0);
        let share = |blocks, load: &PoolLoad| ratio(blocks, load.total_blocks).map(|x| x * 100.0);
        for (pool, name, color) in self.pools() {
            let active = self.bins(format!("{name}, active"), color, |bin| {
                let load = bin.load(pool);
                share(load.active_blocks, load)
            });
            let resident = self.bins(format!("{name}, with cached"), color, |bin| {
                let load = bin.load(pool);
                share(load.active_blocks + load.inactive_blocks, load)
            });
            chart = chart.with(active).with(Series {
                shape: Shape::Dotted,
                ..resident
            });
        }
        chart
    }

    fn reuse(&self) -> Chart {
        let mut chart = Chart::new(
            "Prefix cache reuse",
            "Prompt tokens (%)",
            "Share of prompt tokens found in the cache at first admission.",
        );
        chart.most = Some(100.0);
        chart.with(self.bins("Reused", "teal", |bin| {
            ratio(bin.reused_tokens, bin.admitted_tokens).map(|x| x * 100.0)
        }))
    }

    fn preemptions(&self) -> Chart {
        Chart::new(
            "Preemptions",
            "Preemptions per second",
            "Requests that lost their KV blocks and wait again.",
        )
        .with(some_if(self.summary.preemptions > 0, || {
            self.rate("Preemptions", "red", |bin| bin.preemptions)
        }))
    }

    fn replicas(&self) -> Chart {
        let mut chart = Chart::new(
            "Replicas",
            "Workers",
            "Workers by state; a marker is a scaling event, its reason shows on hover.",
        );
        let states: [(&str, Shape, StateCount); 3] = [
            ("ready", Shape::Step, |size| size.ready),
            ("starting", Shape::StepArea, |size| size.starting),
            ("draining", Shape::StepArea, |size| size.draining),
        ];
        for (pool, name, ready) in self.pools() {
            let [starting, draining] = match pool {
                Pool::Prefill => ["teal", "purple"],
                Pool::Decode => ["green", "red"],
            };
            for ((state, shape, count), color) in
                states.into_iter().zip([ready, starting, draining])
            {
                let (times, values) = self.steps(|point| f64::from(count(size(point, pool))));
                if state == "ready" || values.iter().any(|&value| value != Some(0.0)) {
                    let name = format!("{name} {state}");
                    let times = Times::Own(times);
                    chart = chart.with(Series::new(name, times, values, (shape, color)));
                }
            }
        }
        for (component, name) in [
            ("agg", "Scaling"),
            ("prefill", "Prefill scaling"),
            ("decode", "Decode scaling"),
        ] {
            chart = chart.with(self.scaling(component, name));
        }
        chart
    }

    fn scaling(&self, component: &str, name: &str) -> Series {
        let planner = self.summary.planner.iter();
        let events = planner
            .flat_map(|planner| &planner.scaling_events)
            .filter(|event| event.component == component);
        let (mut times, mut values, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for event in events {
            times.push(event.at.as_secs());
            values.push(Some(f64::from(event.to)));
            notes.push(format!("{} → {}: {}", event.from, event.to, event.reason));
        }
        let style = (
            Shape::Triangles,
            if component == "decode" {
                "yellow"
            } else {
                "gray"
            },
        );
        Series {
            notes,
            ..Series::new(name, Times::Own(times), values, style)
        }
    }

    /// A quantity of the pool sizes, held until the end of the run.
    fn steps(&self, value: impl Fn(&ReplicaPoint) -> f64) -> (Vec<f64>, Vec<Option<f64>>) {
        let points = &self.summary.replicas;
        let mut times: Vec<f64> = points.iter().map(|point| point.at.as_secs()).collect();
        let mut values: Vec<Option<f64>> = points.iter().map(|point| Some(value(point))).collect();
        if let Some(last) = values.last().copied() {
            times.push(self.summary.end.as_secs());
            values.push(last);
        }
        (times, values)
    }

    /// The integral of the workers' GPUs, exact at every change.
    fn gpu_hours(&self) -> Chart {
        let chart = Chart::new(
            "Cumulative GPU hours",
            "GPU-hours",
            "Starting and draining workers hold their GPUs and are charged.",
        );
        if self
            .summary
            .planner
            .as_ref()
            .is_some_and(|planner| planner.charged_at_ticks)
        {
            return chart;
        }
        let gpus = |point: &ReplicaPoint| {
            let prefill = self.summary.prefill.map_or(0, |pool| pool.gpus_per_worker);
            let decode = self.summary.decode.gpus_per_worker;
            f64::from(point.prefill.total() * prefill + point.decode.total() * decode)
        };
        let (times, held) = self.steps(gpus);
        let mut hours = 0.0;
        let mut values = vec![Some(0.0); times.len().min(1)];
        for (span, held) in times.windows(2).zip(held) {
            hours += held.unwrap_or(0.0) * (span[1] - span[0]) / 3600.0;
            values.push(Some(hours));
        }
        let style = (Shape::Line, "blue");
        chart.with(Series::new("GPU-hours", Times::Own(times), values, style))
    }
}

fn size(point: &ReplicaPoint, pool: Pool) -> PoolSize {
    match pool {
        Pool::Prefill => point.prefill,
        Pool::Decode => point.decode,
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A series that is only there under a condition: without values it is not drawn.
fn some_if(condition: bool, series: impl FnOnce() -> Series) -> Series {
    if condition {
        return series();
    }
    Series::new("", Times::Bins, Vec::new(), (Shape::Line, "blue"))
}
