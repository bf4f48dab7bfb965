//! Charts of what a planner saw and decided, tick by tick.

use std::collections::BTreeMap;

use sim_api::{Pool, Targets, TickRecord};

use super::chart::{Chart, Series, Shape, Times};
use super::engine_load::engine_load;
use super::run_charts::target_line;
use crate::Summary;
use crate::timeline::Timeline;

const LOAD_COLORS: &[(&str, &str)] = &[
    ("scale_up", "green"),
    ("scale_down", "blue"),
    ("scale_down_capped_by_throughput", "purple"),
    ("scale_down_refused_consolidation", "teal"),
    ("no_change", "gray"),
    ("disabled", "lightgray"),
    ("no_fpm_data", "yellow"),
    ("scaling_in_progress", "orange"),
    ("worker_count_mismatch", "red"),
    ("insufficient_data", "pink"),
];

const THROUGHPUT_COLORS: &[(&str, &str)] = &[
    ("scale", "green"),
    ("set_lower_bound", "blue"),
    ("disabled", "lightgray"),
    ("no_traffic_data", "yellow"),
    ("predict_failed", "red"),
    ("model_not_ready", "orange"),
    ("partner_not_ready", "pink"),
];

/// The charts of a planner run; none without ticks.
pub(crate) fn planner_charts(summary: &Summary, timeline: &Timeline) -> Vec<Chart> {
    let view = View {
        ticks: timeline.ticks.kept(),
        summary,
        timeline,
    };
    let charts = [
        view.replica_counts(),
        view.request_rate(),
        view.observed_ttft(),
        view.observed_itl(),
        view.estimated_ttft(),
        view.estimated_itl(),
        engine_load(timeline, Pool::Prefill),
        engine_load(timeline, Pool::Decode),
        view.engine_capacity(),
        view.lengths(),
        view.hit_rate(),
        view.decisions(
            "Load scaling decisions",
            "load",
            Shape::Squares,
            LOAD_COLORS,
        ),
        view.decisions(
            "Throughput scaling decisions",
            "throughput",
            Shape::Diamonds,
            THROUGHPUT_COLORS,
        ),
        view.gpu_hours(),
    ];
    charts
        .into_iter()
        .filter(|chart| !chart.is_empty())
        .map(Chart::in_fitting_unit)
        .collect()
}

/// When the ticks were, in seconds.
pub(crate) fn tick_times(timeline: &Timeline) -> Vec<f64> {
    let ticks = timeline.ticks.kept().iter();
    ticks.map(|tick| tick.at.as_secs()).collect()
}

/// Changes of the ready workers from tick to tick, both pools together.
pub(crate) fn replica_transitions(timeline: &Timeline) -> usize {
    let ticks = timeline.ticks.kept();
    let changes = |ready: fn(&TickRecord) -> Option<u32>| {
        let known: Vec<u32> = ticks.iter().filter_map(ready).collect();
        known.windows(2).filter(|pair| pair[0] != pair[1]).count()
    };
    changes(|tick| tick.prefill_ready) + changes(|tick| Some(tick.decode_ready))
}

struct View<'a> {
    ticks: &'a [TickRecord],
    summary: &'a Summary,
    timeline: &'a Timeline,
}

impl View<'_> {
    fn series(
        &self,
        name: impl Into<String>,
        style: (Shape, &'static str),
        value: impl Fn(&TickRecord) -> Option<f64>,
    ) -> Series {
        let values = self.ticks.iter().map(value).collect();
        Series::new(name, Times::Ticks, values, style)
    }

    /// A number that ticks carry under `key`.
    fn value(&self, name: &str, key: &'static str, style: (Shape, &'static str)) -> Series {
        self.series(name, style, |tick| tick.values.get(key).copied())
    }

    fn disaggregated(&self) -> bool {
        self.summary.prefill.is_some()
    }

    fn replica_counts(&self) -> Chart {
        let markers = Shape::LineAndMarkers;
        let mut chart = Chart::new(
            "Replica counts",
            "Workers",
            "Ready workers at each tick, what the planner asked for, and the bounds of the predicted throughput.",
        )
        .with(self.series("Prefill replicas", (markers, "blue"), |tick| {
            tick.prefill_ready.map(f64::from)
        }))
        .with(self.series("Decode replicas", (markers, "orange"), |tick| {
            Some(f64::from(tick.decode_ready))
        }));
        for (name, key, color) in [
            ("Prefill TP lower bound", "lower_bound_prefill", "darkblue"),
            ("Decode TP lower bound", "lower_bound_decode", "red"),
        ] {
            let bound = self.value(name, key, (Shape::StepDashed, color));
            if bound.values.iter().flatten().any(|&bound| bound > 1.0) {
                chart = chart.with(bound);
            }
        }
        let asked = |target: fn(&Targets) -> Option<u32>| {
            move |tick: &TickRecord| tick.targets.as_ref().and_then(target).map(f64::from)
        };
        chart
            .with(self.series(
                "Recommended prefill",
                (Shape::Diamonds, "teal"),
                asked(|targets| targets.prefill),
            ))
            .with(self.series(
                "Recommended decode",
                (Shape::Diamonds, "purple"),
                asked(|targets| targets.decode),
            ))
    }

    fn request_rate(&self) -> Chart {
        Chart::new(
            "Request rate, observed and predicted",
            "Requests per second",
            "Requests of a traffic window over the throughput interval.",
        )
        .with(self.value("Observed", "observed_rps", (Shape::Step, "blue")))
        .with(self.value("Predicted", "predicted_rps", (Shape::Dotted, "orange")))
    }

    fn observed_ttft(&self) -> Chart {
        let chart = Chart::new(
            "Observed TTFT",
            "Mean TTFT (ms)",
            "What the planner saw in its last traffic window.",
        )
        .with(self.value("Observed TTFT", "observed_ttft_ms", (Shape::Step, "blue")));
        target_line(chart, self.timeline.sla.ttft)
    }

    fn observed_itl(&self) -> Chart {
        let chart = Chart::new(
            "Observed ITL",
            "Mean ITL (ms)",
            "What the planner saw in its last traffic window.",
        )
        .with(self.value("Observed ITL", "observed_itl_ms", (Shape::Step, "orange")));
        target_line(chart, self.timeline.sla.itl)
    }

    fn estimated_ttft(&self) -> Chart {
        let style = (Shape::LineAndMarkers, "blue");
        let chart = Chart::new(
            "Estimated TTFT",
            "Worst TTFT (ms)",
            "The planner's estimate of the next request on the worst worker.",
        )
        .with(self.value("Estimated TTFT", "estimated_ttft_ms", style));
        target_line(chart, self.timeline.sla.ttft)
    }

    fn estimated_itl(&self) -> Chart {
        let style = (Shape::LineAndMarkers, "orange");
        let chart = Chart::new(
            "Estimated ITL",
            "Worst ITL (ms)",
            "The planner's estimate of the next token on the worst worker.",
        )
        .with(self.value("Estimated ITL", "estimated_itl_ms", style));
        target_line(chart, self.timeline.sla.itl)
    }

    fn engine_capacity(&self) -> Chart {
        let chart = Chart::new(
            "Engine capacity",
            "Requests per second and engine",
            "What the planner believes one engine can serve within the targets.",
        );
        let decode = |name| self.value(name, "engine_rps_decode", (Shape::Dotted, "orange"));
        if !self.disaggregated() {
            return chart.with(decode("Engine"));
        }
        let style = (Shape::Dotted, "blue");
        chart
            .with(self.value("Prefill engine", "engine_rps_prefill", style))
            .with(decode("Decode engine"))
    }

    fn lengths(&self) -> Chart {
        Chart::new(
            "Sequence lengths, observed and predicted",
            "Tokens",
            "Mean prompt (ISL) and output (OSL) lengths.",
        )
        .with(self.value("Observed ISL", "observed_isl", (Shape::Step, "blue")))
        .with(self.value(
            "Predicted ISL",
            "predicted_isl",
            (Shape::Dotted, "darkblue"),
        ))
        .with(self.value("Observed OSL", "observed_osl", (Shape::Step, "orange")))
        .with(self.value("Predicted OSL", "predicted_osl", (Shape::Dotted, "red")))
    }

    fn hit_rate(&self) -> Chart {
        Chart::new(
            "KV hit rate, observed and predicted",
            "Share of prompt blocks (0 to 1)",
            "As the router told at admission.",
        )
        .with(self.value("Observed", "observed_kv_hit_rate", (Shape::Step, "teal")))
        .with(self.value(
            "Predicted",
            "predicted_kv_hit_rate",
            (Shape::Dotted, "purple"),
        ))
    }

    /// Reasons as coloured markers, on a track a pool where pools differ.
    fn decisions(
        &self,
        title: &'static str,
        what: &'static str,
        shape: Shape,
        colors: &[(&'static str, &'static str)],
    ) -> Chart {
        let mut chart = Chart::new(title, "", "Why each tick decided as it did.");
        let keys: Vec<(String, &'static str)> = if self.disaggregated() {
            vec![
                (format!("{what}_decode"), "decode"),
                (format!("{what}_prefill"), "prefill"),
            ]
        } else {
            vec![(what.to_owned(), "workers")]
        };
        let mut by_reason: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for (track, (key, name)) in keys.iter().enumerate() {
            let track = track as f64 + 1.0;
            chart.tracks.push((track, *name));
            for tick in self.ticks {
                let reason = tick.reasons.get(key.as_str());
                if let Some(reason) = reason {
                    by_reason
                        .entry(reason)
                        .or_default()
                        .push((tick.at.as_secs(), track));
                }
            }
        }
        for (reason, points) in by_reason {
            let color = colors.iter().find(|(name, _)| *name == reason);
            let color = color.map_or("gray", |&(_, color)| color);
            let (times, tracks): (Vec<f64>, Vec<Option<f64>>) = points
                .into_iter()
                .map(|(at, track)| (at, Some(track)))
                .unzip();
            chart = chart.with(Series::new(
                reason,
                Times::Own(times),
                tracks,
                (shape, color),
            ));
        }
        chart
    }

    /// Only where the planner's own rule is the run's rule.
    fn gpu_hours(&self) -> Chart {
        let chart = Chart::new(
            "Cumulative GPU hours",
            "GPU-hours",
            "Charged at each tick to the workers that are ready then.",
        );
        let planner = self.summary.planner.as_ref();
        if planner.is_some_and(|planner| planner.charged_at_ticks) {
            return chart.with(self.value("GPU-hours", "gpu_hours", (Shape::Line, "blue")));
        }
        chart
    }
}
