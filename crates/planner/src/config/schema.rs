//! The fields of a planner configuration.

use serde::Serialize;

macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Its names in a configuration.
            pub(super) const CHOICES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant),)*];

            /// The name in a configuration.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

choices! {
    /// Whether and how engines are profiled before they serve.
    SweepingMode {
        /// Not at all.
        None => "none",
        /// From the performance model.
        Rapid => "rapid",
        /// On the engines.
        Thorough => "thorough",
    }
}

choices! {
    /// Where a live planner runs.
    Environment {
        /// In a cluster.
        Kubernetes => "kubernetes",
        /// Against a virtual connector.
        Virtual => "virtual",
        /// Under a planner of planners.
        GlobalPlanner => "global-planner",
    }
}

choices! {
    /// The engines of a live planner.
    Backend {
        /// vLLM.
        Vllm => "vllm",
        /// SGLang.
        Sglang => "sglang",
        /// TensorRT-LLM.
        Trtllm => "trtllm",
        /// Simulated engines.
        Mocker => "mocker",
    }
}

choices! {
    /// What is scaled.
    Mode {
        /// Prefill and decode pools together.
        Disagg => "disagg",
        /// A prefill pool alone.
        Prefill => "prefill",
        /// A decode pool alone.
        Decode => "decode",
        /// One pool of aggregated engines.
        Agg => "agg",
    }
}

choices! {
    /// What scaling aims at.
    OptimizationTarget {
        /// Full engines, by fixed thresholds.
        Throughput => "throughput",
        /// Idle engines, by fixed thresholds.
        Latency => "latency",
        /// TTFT and inter-token latency targets.
        Sla => "sla",
        /// Thresholds of the configuration.
        Load => "load",
    }
}

impl OptimizationTarget {
    /// Whether thresholds decide, without a model of the engines.
    #[must_use]
    pub fn is_easy(self) -> bool {
        self != Self::Sla
    }
}

choices! {
    /// Where a live planner gets its traffic from.
    MetricsSource {
        /// The frontend.
        Frontend => "frontend",
        /// The router.
        Router => "router",
    }
}

/// Parallelism of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EngineParallelism {
    /// Tensor parallel ranks.
    pub tp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Data parallel (attention) ranks.
    pub dp: u32,
    /// Tensor parallel ranks of the experts.
    pub moe_tp: u32,
    /// Expert parallel ranks.
    pub moe_ep: u32,
}

/// What a live planner asks the performance model for. Kept for reports; a simulation asks with its engine arguments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AicInterpolation {
    /// Model.
    pub hf_id: String,
    /// GPU.
    pub system: String,
    /// Engine: `trtllm`, `vllm` or `sglang`.
    pub backend: String,
    /// Prompt tokens.
    pub isl: i64,
    /// Output tokens.
    pub osl: i64,
    /// Longest context.
    pub sweep_max_context_length: i64,
    /// Points of the prefill sweep.
    pub prefill_interpolation_granularity: i64,
    /// Points of the decode sweep.
    pub decode_interpolation_granularity: i64,
    /// Prefill engines.
    pub prefill_pick: EngineParallelism,
    /// Decode engines.
    pub decode_pick: EngineParallelism,
}

/// Thresholds of the target `load`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LoadThresholds {
    /// Queued prompt tokens of any prefill worker from which a replica is added.
    pub prefill_scale_up_queue_tokens: Option<i64>,
    /// Queued prompt tokens of all prefill workers up to which a replica is removed.
    pub prefill_scale_down_queue_tokens: Option<i64>,
    /// KV use of any decode worker, in percent, from which a replica is added.
    pub decode_scale_up_kv_rate: Option<f64>,
    /// KV use of all decode workers, in percent, up to which a replica is removed.
    pub decode_scale_down_kv_rate: Option<f64>,
}

/// The base cadence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scheduling {
    /// Seconds of which both intervals are multiples; decisions are made on the intervals themselves.
    pub scale_interval_seconds: f64,
}

/// A planner configuration, checked. Fields without effect on a simulation are kept for reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "the names are those of the configuration file, documented in the user guide"
)]
pub struct PlannerConfig {
    pub pre_deployment_sweeping_mode: Option<SweepingMode>,
    pub environment: Environment,
    #[serde(skip)]
    pub namespace: String,
    pub backend: Backend,
    pub mode: Mode,
    pub optimization_target: OptimizationTarget,
    pub log_dir: Option<String>,
    /// Seconds.
    pub throughput_adjustment_interval_seconds: i64,
    /// Seconds.
    pub load_adjustment_interval_seconds: i64,
    /// GPUs; negative is unlimited.
    pub max_gpu_budget: i64,
    /// GPUs; negative is no floor.
    pub min_gpu_budget: i64,
    /// Replicas of each pool.
    pub min_endpoint: i64,
    pub decode_engine_num_gpu: Option<i64>,
    pub prefill_engine_num_gpu: Option<i64>,
    pub profile_results_dir: String,
    pub aic_interpolation: Option<AicInterpolation>,
    /// Milliseconds.
    pub ttft_ms: f64,
    /// Milliseconds.
    pub itl_ms: f64,
    pub load_predictor: String,
    pub load_predictor_log1p: bool,
    pub prophet_window_size: i64,
    pub load_predictor_warmup_trace: Option<String>,
    pub kalman_q_level: f64,
    pub kalman_q_trend: f64,
    pub kalman_r: f64,
    pub kalman_min_points: i64,
    #[serde(skip)]
    pub metric_pulling_prometheus_endpoint: String,
    pub metric_reporting_prometheus_port: i64,
    pub throughput_metrics_source: MetricsSource,
    pub model_name: Option<String>,
    pub global_planner_namespace: Option<String>,
    pub enable_throughput_scaling: bool,
    pub enable_load_scaling: bool,
    pub max_num_fpm_samples: i64,
    pub fpm_sample_bucket_size: i64,
    /// Percent.
    pub load_scaling_down_sensitivity: i64,
    pub load_metric_samples: i64,
    pub load_min_observations: i64,
    pub advisory: bool,
    /// None switches reports off.
    pub report_interval_hours: Option<f64>,
    pub report_output_dir: String,
    pub report_filename: Option<String>,
    pub live_dashboard_port: i64,
    /// Draft tokens where the engines do not say.
    pub speculative_nextn: i64,
    pub report_write_gzip_log: bool,
    #[serde(flatten)]
    pub thresholds: LoadThresholds,
    pub scheduling: Scheduling,
}

impl Default for PlannerConfig {
    /// The defaults before validation: target `throughput` still has its flags to be rewritten.
    fn default() -> Self {
        Self {
            pre_deployment_sweeping_mode: Some(SweepingMode::Rapid),
            environment: Environment::Kubernetes,
            namespace: "dynamo".to_owned(),
            backend: Backend::Vllm,
            mode: Mode::Disagg,
            optimization_target: OptimizationTarget::Throughput,
            log_dir: None,
            throughput_adjustment_interval_seconds: 180,
            load_adjustment_interval_seconds: 5,
            max_gpu_budget: 8,
            min_gpu_budget: -1,
            min_endpoint: 1,
            decode_engine_num_gpu: None,
            prefill_engine_num_gpu: None,
            profile_results_dir: "profiling_results".to_owned(),
            aic_interpolation: None,
            ttft_ms: 500.0,
            itl_ms: 50.0,
            load_predictor: "arima".to_owned(),
            load_predictor_log1p: false,
            prophet_window_size: 50,
            load_predictor_warmup_trace: None,
            kalman_q_level: 1.0,
            kalman_q_trend: 0.1,
            kalman_r: 10.0,
            kalman_min_points: 5,
            metric_pulling_prometheus_endpoint: String::new(),
            metric_reporting_prometheus_port: 0,
            throughput_metrics_source: MetricsSource::Frontend,
            model_name: None,
            global_planner_namespace: None,
            enable_throughput_scaling: true,
            enable_load_scaling: false,
            max_num_fpm_samples: 64,
            fpm_sample_bucket_size: 16,
            load_scaling_down_sensitivity: 80,
            load_metric_samples: 10,
            load_min_observations: 5,
            advisory: false,
            report_interval_hours: Some(24.0),
            report_output_dir: "./planner_reports".to_owned(),
            report_filename: None,
            live_dashboard_port: 8080,
            speculative_nextn: 0,
            report_write_gzip_log: true,
            thresholds: LoadThresholds::default(),
            scheduling: Scheduling {
                scale_interval_seconds: 5.0,
            },
        }
    }
}

impl PlannerConfig {
    /// Whether a run keeps GPU-hours and writes its HTML report.
    #[must_use]
    pub fn reports(&self) -> bool {
        self.report_interval_hours.is_some() || self.live_dashboard_port != 0
    }
}
