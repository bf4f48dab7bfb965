//! The KV router's configuration, from the JSON that users write.

use serde_json::Value;
use sim_api::{Quirk, Quirks};
use strsim::levenshtein;

/// In which order requests that were kept back are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The one that arrived first.
    #[default]
    Fcfs,
    /// The one that arrived last.
    Lcfs,
    /// The one with the fewest prompt tokens to compute.
    Wspt,
}

/// What the KV router is told. Fields of the reference that only a live router
/// has are accepted and have no effect.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterConfig {
    /// Share of the cached blocks that is taken off the prefill cost; 0 to 1.
    pub overlap_score_credit: f64,
    /// Weight of the prefill cost; at least 0.
    pub prefill_load_scale: f64,
    /// 0 takes the cheapest worker; above, workers are drawn by cost.
    pub temperature: f64,
    /// Whether the blocks of running requests count.
    pub track_active_blocks: bool,
    /// Whether shared prefixes of running requests count once.
    pub assume_kv_reuse: bool,
    /// Whether prompt tokens that are not computed yet count.
    pub track_prefill_tokens: bool,
    /// Whether the load of the oldest prefill decays with its expected time.
    pub prefill_load_decays: bool,
    /// Requests are kept back while every worker has more prompt tokens to
    /// compute than this times its budget; `None` never keeps one back.
    pub queue_threshold: Option<f64>,
    /// Order of the queue.
    pub queue_policy: QueuePolicy,
    /// Credit of a block in host memory; 0 to 1. Only a selector knows of it.
    pub host_cache_hit_weight: f64,
    /// Credit of a block on disk; 0 to 1. Only a selector knows of it.
    pub disk_cache_hit_weight: f64,
    /// Credit of a block in a shared cache beyond those on device; 0 to 1. Only
    /// a selector knows of it.
    pub shared_cache_multiplier: f64,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            overlap_score_credit: 1.0,
            prefill_load_scale: 1.0,
            temperature: 0.0,
            track_active_blocks: true,
            assume_kv_reuse: true,
            track_prefill_tokens: true,
            prefill_load_decays: false,
            queue_threshold: Some(4.0),
            queue_policy: QueuePolicy::Fcfs,
            host_cache_hit_weight: 0.75,
            disk_cache_hit_weight: 0.25,
            shared_cache_multiplier: 0.0,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouterConfigError {
    /// Not an object.
    #[error("router config must be a JSON object")]
    NotAnObject,
    /// A field nobody knows.
    #[error(
        "unknown router field {name:?}; did you mean {nearest:?}? Fields with an effect are {known}"
    )]
    Unknown {
        /// The field.
        name: String,
        /// The known one that differs least.
        nearest: &'static str,
        /// Those that a simulation uses.
        known: String,
    },
    /// A value that does not fit its field.
    #[error("{field}: expected {expected}, got {got}")]
    Value {
        /// The field.
        field: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// Fields that do not go together.
    #[error("{0}")]
    Conflict(&'static str),
}

/// Fields with an effect here.
const FIELDS: &[&str] = &[
    "overlap_score_credit",
    "prefill_load_scale",
    "overlap_score_weight",
    "router_temperature",
    "router_track_active_blocks",
    "router_assume_kv_reuse",
    "router_track_prefill_tokens",
    "router_prefill_load_model",
    "router_queue_threshold",
    "router_queue_policy",
];
/// Fields that only a live router uses.
const LIVE_FIELDS: &[&str] = &[
    "host_cache_hit_weight",
    "disk_cache_hit_weight",
    "use_kv_events",
    "durable_kv_events",
    "router_replica_sync",
    "router_track_output_blocks",
    "router_snapshot_threshold",
    "router_reset_states",
    "router_ttl_secs",
    "router_event_threads",
    "skip_initial_worker_wait",
    "use_remote_indexer",
    "serve_indexer",
    "shared_cache_multiplier",
    "shared_cache_type",
];

impl RouterConfig {
    /// Reads a configuration; unknown fields are errors but under
    /// [`Quirk::LaxConfig`].
    ///
    /// # Errors
    /// See [`RouterConfigError`].
    ///
    /// ```
    /// use kv_router::RouterConfig;
    /// use sim_api::Quirks;
    /// let config = RouterConfig::from_value(&serde_json::json!({"router_temperature": 0.5}), Quirks::NONE)?;
    /// assert_eq!(config.temperature, 0.5);
    /// # Ok::<(), kv_router::RouterConfigError>(())
    /// ```
    pub fn from_value(value: &Value, quirks: Quirks) -> Result<Self, RouterConfigError> {
        let map = value.as_object().ok_or(RouterConfigError::NotAnObject)?;
        let known = |name: &str| FIELDS.contains(&name) || LIVE_FIELDS.contains(&name);
        if !quirks.has(Quirk::LaxConfig)
            && let Some(name) = map.keys().find(|name| !known(name))
        {
            return Err(RouterConfigError::Unknown {
                nearest: nearest(name),
                name: name.clone(),
                known: FIELDS.join(", "),
            });
        }
        let mut config = Self::default();
        let share = |limit: f64| move |number: f64| (0.0..=limit).contains(&number);
        if let Some(credit) = number(value, "overlap_score_credit", "0 to 1", share(1.0))? {
            config.overlap_score_credit = credit;
        }
        let any = "a finite number of at least 0";
        if let Some(scale) = number(value, "prefill_load_scale", any, share(f64::MAX))? {
            config.prefill_load_scale = scale;
        }
        if let Some(weight) = number(value, "overlap_score_weight", any, share(f64::MAX))? {
            config.weigh_overlap(weight);
        }
        if let Some(temperature) = number(value, "router_temperature", any, share(f64::MAX))? {
            config.temperature = temperature;
        }
        for (name, slot) in [
            (
                "router_track_active_blocks",
                &mut config.track_active_blocks,
            ),
            ("router_assume_kv_reuse", &mut config.assume_kv_reuse),
            (
                "router_track_prefill_tokens",
                &mut config.track_prefill_tokens,
            ),
        ] {
            if let Some(flag) = flag(value, name)? {
                *slot = flag;
            }
        }
        let words = ["none", "aic"];
        let model = word(
            value,
            "router_prefill_load_model",
            "\"none\" or \"aic\"",
            &words,
        )?;
        config.prefill_load_decays = model == Some("aic");
        if map.get("router_queue_threshold") == Some(&Value::Null) {
            config.queue_threshold = None;
        } else if let Some(threshold) =
            number(value, "router_queue_threshold", any, share(f64::MAX))?
        {
            config.queue_threshold = Some(threshold);
        }
        if let Some(name) = word(
            value,
            "router_queue_policy",
            "\"fcfs\", \"lcfs\" or \"wspt\"",
            &["fcfs", "lcfs", "wspt"],
        )? {
            config.queue_policy = match name {
                "lcfs" => QueuePolicy::Lcfs,
                "wspt" => QueuePolicy::Wspt,
                _ => QueuePolicy::Fcfs,
            };
        }
        for (field, slot) in [
            ("host_cache_hit_weight", &mut config.host_cache_hit_weight),
            ("disk_cache_hit_weight", &mut config.disk_cache_hit_weight),
            (
                "shared_cache_multiplier",
                &mut config.shared_cache_multiplier,
            ),
        ] {
            if let Some(credit) = number(value, field, "0 to 1", share(1.0))? {
                *slot = credit;
            }
        }
        config.check(quirks)?;
        config.check_live(value)?;
        Ok(config)
    }

    /// Sets the scale by its old name, which wins; a weight of 0 turns overlap
    /// off altogether.
    pub(crate) fn weigh_overlap(&mut self, weight: f64) {
        self.prefill_load_scale = weight;
        if weight == 0.0 {
            self.overlap_score_credit = 0.0;
        }
    }

    /// Fields of live routers have no effect but must make sense.
    fn check_live(&self, value: &Value) -> Result<(), RouterConfigError> {
        number(value, "router_ttl_secs", "at least 0", |secs| secs >= 0.0)?;
        let whole = |count: f64| count >= 1.0 && count.fract() == 0.0;
        let threads = "a whole number of at least 1";
        number(value, "router_event_threads", threads, whole)?;
        let threshold = "router_snapshot_threshold";
        if value.get(threshold) != Some(&Value::Null) {
            let blocks = "null or a whole number of at least 1";
            number(value, threshold, blocks, whole)?;
        }
        let caches = ["none", "hicache"];
        word(
            value,
            "shared_cache_type",
            "\"none\" or \"hicache\"",
            &caches,
        )?;
        for field in [
            "router_replica_sync",
            "router_reset_states",
            "skip_initial_worker_wait",
        ] {
            flag(value, field)?;
        }
        let on = |field, default| flag(value, field).map(|flag| flag.unwrap_or(default));
        let events = on("use_kv_events", true)?;
        let (serves, remote) = (
            on("serve_indexer", false)?,
            on("use_remote_indexer", false)?,
        );
        let rules = [
            (
                on("router_track_output_blocks", false)? && !self.track_active_blocks,
                "router_track_output_blocks requires router_track_active_blocks=true",
            ),
            (
                on("durable_kv_events", false)? && !events,
                "durable_kv_events requires use_kv_events=true",
            ),
            (
                serves && remote,
                "use_remote_indexer and serve_indexer are mutually exclusive",
            ),
            (
                serves && self.overlap_score_credit <= 0.0,
                "serve_indexer requires overlap_score_credit > 0",
            ),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(RouterConfigError::Conflict(rule)),
            None => Ok(()),
        }
    }

    fn check(&self, quirks: Quirks) -> Result<(), RouterConfigError> {
        if !self.prefill_load_decays {
            return Ok(());
        }
        if !self.track_prefill_tokens {
            return Err(RouterConfigError::Conflict(
                "router_prefill_load_model requires router_track_prefill_tokens=true",
            ));
        }
        if self.queue_policy != QueuePolicy::Fcfs && quirks.has(Quirk::RefuseLaterFeatures) {
            return Err(RouterConfigError::Conflict(
                "router_prefill_load_model requires router_queue_policy='fcfs' in version 1.2.1",
            ));
        }
        Ok(())
    }
}

/// The known field that differs least from `given`.
fn nearest(given: &str) -> &'static str {
    let known = FIELDS.iter().chain(LIVE_FIELDS);
    known
        .min_by_key(|name| levenshtein(given, name))
        .map_or("", |name| name)
}

fn wrong(field: &'static str, expected: &'static str, got: &Value) -> RouterConfigError {
    RouterConfigError::Value {
        field,
        expected,
        got: got.to_string(),
    }
}

fn number(
    value: &Value,
    field: &'static str,
    expected: &'static str,
    fits: impl Fn(f64) -> bool,
) -> Result<Option<f64>, RouterConfigError> {
    match value.get(field) {
        None => Ok(None),
        Some(given) => match given.as_f64().filter(|&number| fits(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(field, expected, given)),
        },
    }
}

fn flag(value: &Value, field: &'static str) -> Result<Option<bool>, RouterConfigError> {
    match value.get(field) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(given) => Err(wrong(field, "true or false", given)),
    }
}

fn word<'a>(
    value: &'a Value,
    field: &'static str,
    expected: &'static str,
    words: &[&str],
) -> Result<Option<&'a str>, RouterConfigError> {
    match value.get(field) {
        None => Ok(None),
        Some(given) => match given.as_str().filter(|word| words.contains(word)) {
            Some(word) => Ok(Some(word)),
            None => Err(wrong(field, expected, given)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_out_of_range_name_their_field() {
        for (given, field) in [
            (json!({"overlap_score_credit": 1.5}), "overlap_score_credit"),
            (json!({"router_temperature": -1}), "router_temperature"),
            (
                json!({"router_queue_policy": "lifo"}),
                "router_queue_policy",
            ),
            (
                json!({"router_track_active_blocks": 1}),
                "router_track_active_blocks",
            ),
            (json!({"router_temprature": 1}), "router_temprature"),
            (json!({"router_event_threads": 1.5}), "router_event_threads"),
            (json!({"router_replica_sync": 1}), "router_replica_sync"),
            (json!({"shared_cache_type": "disk"}), "shared_cache_type"),
            (
                json!({"router_snapshot_threshold": "x"}),
                "router_snapshot_threshold",
            ),
        ] {
            let error = RouterConfig::from_value(&given, Quirks::NONE).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
        for (slip, field) in [
            ("router_temprature", "router_temperature"),
            ("use_kv_event", "use_kv_events"),
        ] {
            let given = json!({ slip: 1 });
            let error = RouterConfig::from_value(&given, Quirks::NONE).unwrap_err();
            let suggestion = format!("did you mean {field:?}?");
            assert!(error.to_string().contains(&suggestion), "{error}");
        }
        let lax = RouterConfig::from_value(&json!({"anything": 1}), Quirks::ALL);
        assert_eq!(lax, Ok(RouterConfig::default()));
    }

    #[test]
    fn a_weight_of_zero_turns_overlap_off() {
        let config =
            RouterConfig::from_value(&json!({"overlap_score_weight": 0}), Quirks::NONE).unwrap();
        assert_eq!(
            (config.prefill_load_scale, config.overlap_score_credit),
            (0.0, 0.0)
        );
        let config =
            RouterConfig::from_value(&json!({"router_queue_threshold": null}), Quirks::NONE);
        assert_eq!(config.unwrap().queue_threshold, None);
    }
}
