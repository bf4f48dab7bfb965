//! Rules between fields, in the order the reference checks them.

use sim_api::{Quirk, Quirks};

use super::error::ConfigError;
use super::schema::{Environment, Mode, OptimizationTarget, PlannerConfig, SweepingMode};

/// Intervals are compared at this resolution.
const MS_PER_S: f64 = 1000.0;

/// Checks `config`, rewrites what a target implies, and says what is odd. `given` are the fields the user set.
pub(super) fn validate(
    config: &mut PlannerConfig,
    given: &[&str],
    quirks: Quirks,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let early = quirks.has(Quirk::RefuseLaterFeatures);
    if !early {
        check_later_ranges(config)?;
    }
    check_values(config)?;
    rewrite_for_target(config, warnings)?;
    check_scaling_modes(config, quirks, warnings)?;
    if !early {
        settle_base_interval(config, given.contains(&"scheduling"))?;
    }
    Ok(())
}

fn check_later_ranges(config: &PlannerConfig) -> Result<(), ConfigError> {
    if config.load_adjustment_interval_seconds <= 0 {
        let found = config.load_adjustment_interval_seconds;
        return Err(ConfigError::value(
            "load_adjustment_interval_seconds",
            format!("load_adjustment_interval_seconds must be greater than 0, got {found}"),
        ));
    }
    if config.speculative_nextn < 0 || config.speculative_nextn > i64::from(u32::MAX) {
        let found = config.speculative_nextn;
        return Err(ConfigError::value(
            "speculative_nextn",
            format!(
                "speculative_nextn must be greater than or equal to 0 (and below 2^32), got {found}"
            ),
        ));
    }
    let rates = [
        (
            "decode_scale_up_kv_rate",
            config.thresholds.decode_scale_up_kv_rate,
        ),
        (
            "decode_scale_down_kv_rate",
            config.thresholds.decode_scale_down_kv_rate,
        ),
    ];
    for (name, rate) in rates {
        if rate.is_some_and(|rate| !(0.0..=100.0).contains(&rate)) {
            return Err(ConfigError::value(
                name,
                format!("{name} must be a percentage from 0 to 100"),
            ));
        }
    }
    let queues = [
        (
            "prefill_scale_up_queue_tokens",
            config.thresholds.prefill_scale_up_queue_tokens,
        ),
        (
            "prefill_scale_down_queue_tokens",
            config.thresholds.prefill_scale_down_queue_tokens,
        ),
    ];
    for (name, tokens) in queues {
        if tokens.is_some_and(|tokens| tokens < 0) {
            return Err(ConfigError::value(
                name,
                format!("{name} must be at least 0 tokens"),
            ));
        }
    }
    Ok(())
}

fn check_values(config: &PlannerConfig) -> Result<(), ConfigError> {
    if config.ttft_ms.is_nan() || config.ttft_ms <= 0.0 {
        let found = config.ttft_ms;
        return Err(ConfigError::value(
            "ttft_ms",
            format!("ttft_ms must be > 0, got {found:?}"),
        ));
    }
    if config
        .report_interval_hours
        .is_some_and(|hours| !hours.is_finite() || hours <= 0.0)
    {
        return Err(ConfigError::value(
            "report_interval_hours",
            "report_interval_hours must be a positive finite number or null",
        ));
    }
    let cells = config.fpm_sample_bucket_size;
    if u64::try_from(cells).map_or(true, |cells| cells.isqrt().pow(2) != cells) {
        return Err(ConfigError::value(
            "fpm_sample_bucket_size",
            format!("fpm_sample_bucket_size must be a perfect square, got {cells}"),
        ));
    }
    let unnamed = config
        .global_planner_namespace
        .as_ref()
        .is_none_or(String::is_empty);
    if config.environment == Environment::GlobalPlanner && unnamed {
        return Err(ConfigError::value(
            "global_planner_namespace",
            "global_planner_namespace is required when environment is \"global-planner\"",
        ));
    }
    Ok(())
}

/// Targets without a model of the engines decide by load alone.
fn rewrite_for_target(
    config: &mut PlannerConfig,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    if !config.optimization_target.is_easy() {
        return Ok(());
    }
    config.enable_load_scaling = true;
    config.enable_throughput_scaling = false;
    let defaults = PlannerConfig::default();
    if config.ttft_ms != defaults.ttft_ms || config.itl_ms != defaults.itl_ms {
        let target = config.optimization_target.name();
        warnings.push(format!(
            "optimization_target {target:?} ignores ttft_ms and itl_ms"
        ));
    }
    if config.optimization_target == OptimizationTarget::Load {
        check_thresholds(config)?;
    }
    Ok(())
}

fn check_thresholds(config: &PlannerConfig) -> Result<(), ConfigError> {
    let thresholds = &config.thresholds;
    if matches!(config.mode, Mode::Disagg | Mode::Prefill) {
        let (up, down) = (
            thresholds.prefill_scale_up_queue_tokens,
            thresholds.prefill_scale_down_queue_tokens,
        );
        let (Some(up), Some(down)) = (up, down) else {
            return Err(ConfigError::value(
                "prefill_scale_up_queue_tokens",
                "optimization_target \"load\" requires prefill_scale_up_queue_tokens and \
                 prefill_scale_down_queue_tokens for prefill scaling",
            ));
        };
        if down >= up {
            return Err(ConfigError::value(
                "prefill_scale_down_queue_tokens",
                format!(
                    "prefill_scale_down_queue_tokens ({down}) must be below prefill_scale_up_queue_tokens ({up})"
                ),
            ));
        }
    }
    if config.mode != Mode::Prefill {
        let (up, down) = (
            thresholds.decode_scale_up_kv_rate,
            thresholds.decode_scale_down_kv_rate,
        );
        let (Some(up), Some(down)) = (up, down) else {
            return Err(ConfigError::value(
                "decode_scale_up_kv_rate",
                "optimization_target \"load\" requires decode_scale_up_kv_rate and \
                 decode_scale_down_kv_rate for decode scaling",
            ));
        };
        if down >= up {
            return Err(ConfigError::value(
                "decode_scale_down_kv_rate",
                format!(
                    "decode_scale_down_kv_rate ({down}) must be below decode_scale_up_kv_rate ({up})"
                ),
            ));
        }
    }
    Ok(())
}

fn check_scaling_modes(
    config: &PlannerConfig,
    quirks: Quirks,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    if !config.enable_throughput_scaling && !config.enable_load_scaling {
        return Err(ConfigError::value(
            "enable_throughput_scaling",
            "at least one scaling mode must be enabled (enable_throughput_scaling or enable_load_scaling)",
        ));
    }
    if !config.enable_throughput_scaling {
        return Ok(());
    }
    match config.pre_deployment_sweeping_mode {
        None | Some(SweepingMode::None) if quirks.has(Quirk::SweepingModeNoneIsError) => {
            return Err(ConfigError::value(
                "pre_deployment_sweeping_mode",
                "pre_deployment_sweeping_mode cannot be \"none\" when enable_throughput_scaling is true: \
                 throughput scaling needs engine performance data",
            ));
        }
        None | Some(SweepingMode::None) => warnings.push(
            "pre_deployment_sweeping_mode is \"none\": throughput scaling waits until the models have learned \
             from live passes"
                .to_owned(),
        ),
        Some(SweepingMode::Rapid) if config.aic_interpolation.is_none() => warnings.push(
            "pre_deployment_sweeping_mode is \"rapid\" without aic_interpolation: the engine arguments name the \
             performance model"
                .to_owned(),
        ),
        Some(_) => {}
    }
    let (load, throughput) = (
        config.load_adjustment_interval_seconds,
        config.throughput_adjustment_interval_seconds,
    );
    if config.enable_load_scaling && load >= throughput {
        return Err(ConfigError::value(
            "load_adjustment_interval_seconds",
            format!(
                "load_adjustment_interval_seconds ({load}s) must be shorter than \
                 throughput_adjustment_interval_seconds ({throughput}s): load scaling is the fast loop"
            ),
        ));
    }
    Ok(())
}

/// The base interval divides both cadences; unless given it is the longest that does.
fn settle_base_interval(config: &mut PlannerConfig, given: bool) -> Result<(), ConfigError> {
    let load = config.load_adjustment_interval_seconds.saturating_mul(1000);
    let throughput = config
        .throughput_adjustment_interval_seconds
        .saturating_mul(1000);
    let longest = if config.enable_throughput_scaling {
        gcd(load, throughput)
    } else {
        load
    };
    if !given {
        config.scheduling.scale_interval_seconds = longest as f64 / MS_PER_S;
        return Ok(());
    }
    let seconds = config.scheduling.scale_interval_seconds;
    let ms = (seconds * MS_PER_S).round();
    let usable = seconds.is_finite() && seconds > 0.0 && ms >= 1.0 && ms <= longest as f64;
    if !usable || longest % ms as i64 != 0 {
        return Err(ConfigError::value(
            "scheduling.scale_interval_seconds",
            format!(
                "scheduling.scale_interval_seconds ({seconds}) must be above 0 and divide the adjustment intervals: \
                 the longest that does is {}",
                longest as f64 / MS_PER_S
            ),
        ));
    }
    Ok(())
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}
