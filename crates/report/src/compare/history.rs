//! Workers over time, as the planner block of a report has them.

use serde_json::Value;

use super::ComparedRun;

/// Workers of a pool at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) at_s: f64,
    pub(crate) ready: f64,
    /// With those that start or drain.
    pub(crate) all: f64,
}

/// A pool's workers from the start of a run to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PoolHistory {
    pub(crate) points: Vec<Held>,
    /// GPUs of a worker, if the report says so.
    pub(crate) gpus: Option<f64>,
}

impl ComparedRun {
    /// The history of `prefill` or `decode`; `None` if the report has none.
    /// Points that are no numbers are left out.
    pub(crate) fn history(&self, pool: &str) -> Option<PoolHistory> {
        let points = self.pointer("/planner/replicas")?.as_array()?;
        let held = |point: &Value| {
            let state = |name: &str| point.get(pool)?.get(name)?.as_f64();
            let ready = state("ready")?;
            let rest = state("starting").unwrap_or(0.0) + state("draining").unwrap_or(0.0);
            let at_s = point.get("at_s")?.as_f64()?;
            Some(Held {
                at_s,
                ready,
                all: ready + rest,
            })
        };
        let mut points: Vec<Held> = points.iter().filter_map(held).collect();
        let last = *points.last()?;
        points.push(Held {
            at_s: self.end_s().max(last.at_s),
            ..last
        });
        let gpus = self.number(&format!("{pool}_gpus_per_worker"));
        Some(PoolHistory { points, gpus })
    }

    /// How long the run took, in simulated seconds.
    pub(crate) fn end_s(&self) -> f64 {
        self.number("duration_ms").unwrap_or(0.0) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn workers_are_held_until_the_end() {
        let size = |ready: u32, draining: u32| json!({"ready": ready, "starting": 0, "draining": draining});
        let text = json!({
            "num_requests": 1, "duration_ms": 9000.0, "decode_gpus_per_worker": 2,
            "planner": {"replicas": [
                {"at_s": 0.0, "decode": size(2, 0), "prefill": null},
                {"at_s": "soon", "decode": size(9, 0)},
                {"at_s": 5.0, "decode": size(1, 1)},
            ]},
        });
        let run = ComparedRun::parse("a", &text.to_string()).unwrap();
        let history = run.history("decode").unwrap();
        let points: Vec<(f64, f64, f64)> = history
            .points
            .iter()
            .map(|held| (held.at_s, held.ready, held.all))
            .collect();
        assert_eq!(points, [(0.0, 2.0, 2.0), (5.0, 1.0, 2.0), (9.0, 1.0, 2.0)]);
        assert_eq!(history.gpus, Some(2.0));
        assert_eq!(run.history("prefill"), None);
    }
}
