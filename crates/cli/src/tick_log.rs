//! `--planner-log`: one JSON line a planner tick.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use sim_api::{Observer, ScalingEvent, TickRecord};

use crate::output::AtomicFile;

/// Writes ticks and the scaling events that follow them.
pub(crate) struct TickLog {
    file: AtomicFile,
    failed: Option<std::io::Error>,
}

impl TickLog {
    pub(crate) fn new(file: AtomicFile) -> Self {
        Self { file, failed: None }
    }

    fn write(&mut self, line: &Value) {
        if self.failed.is_none()
            && let Err(error) = writeln!(self.file, "{line}")
        {
            self.failed = Some(error);
        }
    }

    /// Puts the file in its place.
    pub(crate) fn finish(self) -> Result<()> {
        match self.failed {
            Some(error) => Err(error).context("cannot write the planner log"),
            None => self.file.finish(),
        }
    }
}

impl Observer for TickLog {
    fn tick(&mut self, record: &TickRecord) {
        let values: Map<String, Value> = record
            .values
            .iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(&name, &value)| (name.to_owned(), json!(value)))
            .collect();
        let engines: Vec<Value> = record
            .engines
            .iter()
            .map(|engine| {
                json!({
                    "pool": engine.pool.to_string(),
                    "worker": engine.worker.0,
                    "queued_prefill_tokens": engine.queued_prefill_tokens,
                    "queued_decode_kv_tokens": engine.queued_decode_kv_tokens,
                    "inflight_decode_kv_tokens": engine.inflight_decode_kv_tokens,
                })
            })
            .collect();
        let targets = record
            .targets
            .map(|targets| json!({"prefill": targets.prefill, "decode": targets.decode}));
        self.write(&json!({
            "tick": record.tick,
            "due_s": record.due.as_secs(),
            "at_s": record.at.as_secs(),
            "prefill_ready": record.prefill_ready,
            "decode_ready": record.decode_ready,
            "values": values,
            "reasons": record.reasons,
            "engines": engines,
            "scale_to": targets,
        }));
    }

    fn scaled(&mut self, event: &ScalingEvent) {
        self.write(&json!({
            "event": "scaled",
            "at_s": event.at.as_secs(),
            "component": event.component,
            "from": event.from,
            "to": event.to,
            "reason": event.reason,
        }));
    }
}
