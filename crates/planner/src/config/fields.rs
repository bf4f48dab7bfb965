//! Assignment of named JSON values to the fields.

use serde_json::{Map, Value};

use super::coerce::{boolean, choice, describe, float, integer, text};
use super::error::ConfigError;
use super::schema::{
    AicInterpolation, Backend, EngineParallelism, Environment, MetricsSource, Mode,
    OptimizationTarget, PlannerConfig, SweepingMode,
};

/// Older names of fields, and the names they stand for.
pub(super) const ALIASES: &[(&str, &str)] = &[
    (
        "throughput_adjustment_interval",
        "throughput_adjustment_interval_seconds",
    ),
    (
        "load_adjustment_interval",
        "load_adjustment_interval_seconds",
    ),
    ("ttft", "ttft_ms"),
    ("itl", "itl_ms"),
];

/// Fields that 1.2.1 does not know.
pub(super) const LATER_FIELDS: &[&str] = &[
    "speculative_nextn",
    "report_write_gzip_log",
    "prefill_scale_up_queue_tokens",
    "prefill_scale_down_queue_tokens",
    "decode_scale_up_kv_rate",
    "decode_scale_down_kv_rate",
    "scheduling",
    "aic_perf_model",
];

/// All names a configuration may have.
pub(super) const KNOWN: &[&str] = &[
    "pre_deployment_sweeping_mode",
    "environment",
    "namespace",
    "backend",
    "mode",
    "optimization_target",
    "log_dir",
    "throughput_adjustment_interval_seconds",
    "throughput_adjustment_interval",
    "load_adjustment_interval_seconds",
    "load_adjustment_interval",
    "max_gpu_budget",
    "min_gpu_budget",
    "min_endpoint",
    "decode_engine_num_gpu",
    "prefill_engine_num_gpu",
    "profile_results_dir",
    "aic_interpolation",
    "aic_perf_model",
    "ttft_ms",
    "ttft",
    "itl_ms",
    "itl",
    "load_predictor",
    "load_predictor_log1p",
    "prophet_window_size",
    "load_predictor_warmup_trace",
    "kalman_q_level",
    "kalman_q_trend",
    "kalman_r",
    "kalman_min_points",
    "metric_pulling_prometheus_endpoint",
    "metric_reporting_prometheus_port",
    "throughput_metrics_source",
    "model_name",
    "global_planner_namespace",
    "enable_throughput_scaling",
    "enable_load_scaling",
    "max_num_fpm_samples",
    "fpm_sample_bucket_size",
    "load_scaling_down_sensitivity",
    "load_metric_samples",
    "load_min_observations",
    "advisory",
    "report_interval_hours",
    "report_output_dir",
    "report_filename",
    "live_dashboard_port",
    "speculative_nextn",
    "report_write_gzip_log",
    "prefill_scale_up_queue_tokens",
    "prefill_scale_down_queue_tokens",
    "decode_scale_up_kv_rate",
    "decode_scale_down_kv_rate",
    "scheduling",
];

/// The targets of 1.2.1.
const EARLY_TARGETS: usize = 3;

fn optional<T>(
    field: &str,
    value: &Value,
    read: impl Fn(&str, &Value) -> Result<T, ConfigError>,
) -> Result<Option<T>, ConfigError> {
    if value.is_null() {
        Ok(None)
    } else {
        read(field, value).map(Some)
    }
}

/// Sets the field `name` (canonical) of `config`; false if there is no such field.
///
/// `early` knows only what 1.2.1 knows.
pub(super) fn assign(
    config: &mut PlannerConfig,
    name: &str,
    value: &Value,
    early: bool,
) -> Result<bool, ConfigError> {
    if early && LATER_FIELDS.contains(&name) {
        return Ok(false);
    }
    let known = assign_choice(config, name, value, early)?
        || assign_number(config, name, value)?
        || assign_text(config, name, value)?
        || assign_nested(config, name, value)?;
    Ok(known)
}

fn assign_choice(
    config: &mut PlannerConfig,
    name: &str,
    value: &Value,
    early: bool,
) -> Result<bool, ConfigError> {
    match name {
        "pre_deployment_sweeping_mode" => {
            config.pre_deployment_sweeping_mode =
                optional(name, value, |f, v| choice(f, v, SweepingMode::CHOICES))?;
        }
        "environment" => config.environment = choice(name, value, Environment::CHOICES)?,
        "backend" => config.backend = choice(name, value, Backend::CHOICES)?,
        "mode" => config.mode = choice(name, value, Mode::CHOICES)?,
        "optimization_target" => {
            let all = OptimizationTarget::CHOICES;
            config.optimization_target =
                choice(name, value, if early { &all[..EARLY_TARGETS] } else { all })?;
        }
        "throughput_metrics_source" => {
            config.throughput_metrics_source = choice(name, value, MetricsSource::CHOICES)?;
        }
        "load_predictor_log1p" => config.load_predictor_log1p = boolean(name, value)?,
        "enable_throughput_scaling" => config.enable_throughput_scaling = boolean(name, value)?,
        "enable_load_scaling" => config.enable_load_scaling = boolean(name, value)?,
        "advisory" => config.advisory = boolean(name, value)?,
        "report_write_gzip_log" => config.report_write_gzip_log = boolean(name, value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn assign_number(
    config: &mut PlannerConfig,
    name: &str,
    value: &Value,
) -> Result<bool, ConfigError> {
    let whole = match name {
        "throughput_adjustment_interval_seconds" => {
            &mut config.throughput_adjustment_interval_seconds
        }
        "load_adjustment_interval_seconds" => &mut config.load_adjustment_interval_seconds,
        "max_gpu_budget" => &mut config.max_gpu_budget,
        "min_gpu_budget" => &mut config.min_gpu_budget,
        "min_endpoint" => &mut config.min_endpoint,
        "prophet_window_size" => &mut config.prophet_window_size,
        "kalman_min_points" => &mut config.kalman_min_points,
        "metric_reporting_prometheus_port" => &mut config.metric_reporting_prometheus_port,
        "max_num_fpm_samples" => &mut config.max_num_fpm_samples,
        "fpm_sample_bucket_size" => &mut config.fpm_sample_bucket_size,
        "load_scaling_down_sensitivity" => &mut config.load_scaling_down_sensitivity,
        "load_metric_samples" => &mut config.load_metric_samples,
        "load_min_observations" => &mut config.load_min_observations,
        "live_dashboard_port" => &mut config.live_dashboard_port,
        "speculative_nextn" => &mut config.speculative_nextn,
        _ => return assign_real(config, name, value),
    };
    *whole = integer(name, value)?;
    Ok(true)
}

fn assign_real(config: &mut PlannerConfig, name: &str, value: &Value) -> Result<bool, ConfigError> {
    match name {
        "ttft_ms" => config.ttft_ms = float(name, value)?,
        "itl_ms" => config.itl_ms = float(name, value)?,
        "kalman_q_level" => config.kalman_q_level = float(name, value)?,
        "kalman_q_trend" => config.kalman_q_trend = float(name, value)?,
        "kalman_r" => config.kalman_r = float(name, value)?,
        "report_interval_hours" => config.report_interval_hours = optional(name, value, float)?,
        "decode_engine_num_gpu" => config.decode_engine_num_gpu = optional(name, value, integer)?,
        "prefill_engine_num_gpu" => config.prefill_engine_num_gpu = optional(name, value, integer)?,
        "prefill_scale_up_queue_tokens" => {
            config.thresholds.prefill_scale_up_queue_tokens = optional(name, value, integer)?;
        }
        "prefill_scale_down_queue_tokens" => {
            config.thresholds.prefill_scale_down_queue_tokens = optional(name, value, integer)?;
        }
        "decode_scale_up_kv_rate" => {
            config.thresholds.decode_scale_up_kv_rate = optional(name, value, float)?;
        }
        "decode_scale_down_kv_rate" => {
            config.thresholds.decode_scale_down_kv_rate = optional(name, value, float)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn assign_text(config: &mut PlannerConfig, name: &str, value: &Value) -> Result<bool, ConfigError> {
    match name {
        "namespace" => config.namespace = text(name, value)?,
        "profile_results_dir" => config.profile_results_dir = text(name, value)?,
        "load_predictor" => config.load_predictor = text(name, value)?,
        "metric_pulling_prometheus_endpoint" => {
            config.metric_pulling_prometheus_endpoint = text(name, value)?;
        }
        "report_output_dir" => config.report_output_dir = text(name, value)?,
        "log_dir" => config.log_dir = optional(name, value, text)?,
        "load_predictor_warmup_trace" => {
            config.load_predictor_warmup_trace = optional(name, value, text)?;
        }
        "model_name" => config.model_name = optional(name, value, text)?,
        "global_planner_namespace" => {
            config.global_planner_namespace = optional(name, value, text)?;
        }
        "report_filename" => config.report_filename = optional(name, value, text)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn assign_nested(
    config: &mut PlannerConfig,
    name: &str,
    value: &Value,
) -> Result<bool, ConfigError> {
    match name {
        // The identity of a compiled performance model; a simulation has its engine arguments for that.
        "aic_perf_model" => {}
        "aic_interpolation" => config.aic_interpolation = optional(name, value, interpolation)?,
        "scheduling" => {
            let fields = object(name, value)?;
            if let Some(seconds) = fields
                .get("scale_interval_seconds")
                .filter(|value| !value.is_null())
            {
                config.scheduling.scale_interval_seconds =
                    float("scheduling.scale_interval_seconds", seconds)?;
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn object<'a>(field: &str, value: &'a Value) -> Result<&'a Map<String, Value>, ConfigError> {
    value.as_object().ok_or_else(|| ConfigError::Type {
        field: field.to_owned(),
        expected: "an object".to_owned(),
        found: describe(value),
    })
}

/// The fields of nested objects, for the search for unknown ones.
pub(super) fn nested_fields(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "aic_interpolation" => Some(&[
            "hf_id",
            "system",
            "backend",
            "isl",
            "osl",
            "sweep_max_context_length",
            "prefill_interpolation_granularity",
            "decode_interpolation_granularity",
            "prefill_pick",
            "decode_pick",
        ]),
        "aic_interpolation.prefill_pick" | "aic_interpolation.decode_pick" => {
            Some(&["tp", "pp", "dp", "moe_tp", "moe_ep"])
        }
        "scheduling" => Some(&["scale_interval_seconds"]),
        _ => None,
    }
}

fn interpolation(name: &str, value: &Value) -> Result<AicInterpolation, ConfigError> {
    let fields = object(name, value)?;
    let path = |field: &str| format!("{name}.{field}");
    let get = |field: &str| fields.get(field).unwrap_or(&Value::Null);
    let word = |field: &str| text(&path(field), get(field));
    let positive = |field: &str| at_least_one(&path(field), get(field));
    let backends = [("trtllm", "trtllm"), ("vllm", "vllm"), ("sglang", "sglang")];
    Ok(AicInterpolation {
        hf_id: word("hf_id")?,
        system: word("system")?,
        backend: choice(&path("backend"), get("backend"), &backends)?.to_owned(),
        isl: positive("isl")?,
        osl: positive("osl")?,
        sweep_max_context_length: positive("sweep_max_context_length")?,
        prefill_interpolation_granularity: positive("prefill_interpolation_granularity")?,
        decode_interpolation_granularity: positive("decode_interpolation_granularity")?,
        prefill_pick: pick(&path("prefill_pick"), get("prefill_pick"))?,
        decode_pick: pick(&path("decode_pick"), get("decode_pick"))?,
    })
}

fn at_least_one(field: &str, value: &Value) -> Result<i64, ConfigError> {
    let number = integer(field, value)?;
    if number > 0 {
        return Ok(number);
    }
    Err(ConfigError::Type {
        field: field.to_owned(),
        expected: "a whole number above 0".to_owned(),
        found: describe(value),
    })
}

fn pick(name: &str, value: &Value) -> Result<EngineParallelism, ConfigError> {
    let fields = object(name, value)?;
    let get = |field: &str| match fields.get(field) {
        None => Ok(1),
        Some(value) => {
            let path = format!("{name}.{field}");
            let ranks = at_least_one(&path, value)?;
            u32::try_from(ranks).map_err(|_| ConfigError::Type {
                field: path,
                expected: "a whole number below 2^32".to_owned(),
                found: describe(value),
            })
        }
    };
    Ok(EngineParallelism {
        tp: get("tp")?,
        pp: get("pp")?,
        dp: get("dp")?,
        moe_tp: get("moe_tp")?,
        moe_ep: get("moe_ep")?,
    })
}
