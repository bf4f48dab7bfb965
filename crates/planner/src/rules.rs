//! A configuration as the decisions use it: units converted, ranges checked.

use crate::budget::Budget;
use crate::config::{LoadThresholds, Mode, OptimizationTarget, PlannerConfig};
use crate::predict::{KalmanSettings, PredictorKind, PredictorSettings};
use crate::regression::LinearSettings;

/// Why no planner can be built from a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlannerError {
    /// A field's value makes no planner.
    #[error("planner config: field {field:?}: {message}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong, and what would be right.
        message: String,
    },
}

fn wrong(field: &'static str, message: impl Into<String>) -> PlannerError {
    PlannerError::Field {
        field,
        message: message.into(),
    }
}

/// Constants of all decisions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) mode: Mode,
    pub(crate) target: OptimizationTarget,
    pub(crate) load_enabled: bool,
    pub(crate) throughput_enabled: bool,
    pub(crate) load_interval_s: f64,
    pub(crate) throughput_interval_s: f64,
    pub(crate) budget: Budget,
    pub(crate) min_endpoint: u32,
    pub(crate) ttft_ms: f64,
    pub(crate) itl_ms: f64,
    /// Share of a target that the remaining replicas may use after a scale-down.
    pub(crate) sensitivity: f64,
    pub(crate) thresholds: LoadThresholds,
    pub(crate) models: LinearSettings,
    pub(crate) predictor: PredictorSettings,
    /// Draft tokens where the engines do not say.
    pub(crate) draft_tokens: u32,
}

impl Rules {
    pub(crate) fn new(config: &PlannerConfig) -> Result<Self, PlannerError> {
        let min_endpoint = u32::try_from(config.min_endpoint.max(0))
            .map_err(|_| wrong("min_endpoint", "expected fewer than 2^32 replicas"))?;
        let interval = |field: &'static str, seconds: i64| {
            // An interval of 0 would ask again and again without letting time pass.
            if seconds > 0 {
                Ok(seconds as f64)
            } else {
                Err(wrong(
                    field,
                    format!("expected seconds above 0, found {seconds}"),
                ))
            }
        };
        let throughput_interval_s = if config.enable_throughput_scaling {
            interval(
                "throughput_adjustment_interval_seconds",
                config.throughput_adjustment_interval_seconds,
            )?
        } else {
            config.throughput_adjustment_interval_seconds as f64
        };
        Ok(Self {
            mode: config.mode,
            target: config.optimization_target,
            load_enabled: config.enable_load_scaling,
            throughput_enabled: config.enable_throughput_scaling,
            load_interval_s: interval(
                "load_adjustment_interval_seconds",
                config.load_adjustment_interval_seconds,
            )?,
            throughput_interval_s,
            budget: Budget {
                min_gpus: config.min_gpu_budget,
                max_gpus: config.max_gpu_budget,
                min_endpoint,
            },
            min_endpoint,
            ttft_ms: config.ttft_ms,
            itl_ms: config.itl_ms,
            sensitivity: config.load_scaling_down_sensitivity as f64 / 100.0,
            thresholds: config.thresholds,
            models: models(config)?,
            predictor: predictor(config, throughput_interval_s)?,
            draft_tokens: u32::try_from(config.speculative_nextn.max(0)).unwrap_or(u32::MAX),
        })
    }

    /// Whether models and predictors decide, not thresholds.
    pub(crate) fn is_sla(&self) -> bool {
        !self.target.is_easy()
    }
}

fn models(config: &PlannerConfig) -> Result<LinearSettings, PlannerError> {
    let max_samples = usize::try_from(config.max_num_fpm_samples)
        .ok()
        .filter(|&samples| samples > 0);
    Ok(LinearSettings {
        max_samples: max_samples.ok_or_else(|| {
            let found = config.max_num_fpm_samples;
            wrong(
                "max_num_fpm_samples",
                format!("expected at least 1 sample, found {found}"),
            )
        })?,
        min_observations: usize::try_from(config.load_min_observations.max(1))
            .unwrap_or(usize::MAX),
        bucket_count: u64::try_from(config.fpm_sample_bucket_size).unwrap_or(0),
    })
}

fn predictor(config: &PlannerConfig, interval_s: f64) -> Result<PredictorSettings, PlannerError> {
    let named = PredictorKind::from_name(&config.load_predictor);
    let kind = match named {
        Some(kind) => kind,
        // Thresholds decide without a forecast.
        None if config.optimization_target.is_easy() => PredictorKind::Constant,
        None => {
            let names: Vec<&str> = PredictorKind::ALL.iter().map(|kind| kind.name()).collect();
            let found = &config.load_predictor;
            return Err(wrong(
                "load_predictor",
                format!("expected one of {}, found {found:?}", names.join(", ")),
            ));
        }
    };
    Ok(PredictorSettings {
        kind,
        log1p: config.load_predictor_log1p,
        kalman: KalmanSettings {
            q_level: config.kalman_q_level,
            q_trend: config.kalman_q_trend,
            r: config.kalman_r,
        },
        prophet_window: usize::try_from(config.prophet_window_size.max(0)).unwrap_or(usize::MAX),
        interval_s,
    })
}
