//! A model bound to a GPU, a framework and their measurements.

use std::sync::{Arc, OnceLock};

use crate::backend::{Backend, resolve_version};
use crate::config::AicConfig;
use crate::decode_row::DecodeRow;
use crate::error::AicError;
use crate::hw::GpuSpec;
use crate::model_spec::ModelSpec;
use crate::oplist::{NamedOp, OpLists, Parallelism, Setting};
use crate::ops::{Binder, BoundOp};
use crate::quant::{AttentionFormat, Formats};
use crate::table::PerfTables;

/// Most draft tokens taken for a number of them.
const NEXTN_MAX: u32 = 64;
/// Decode rows of batches up to this are kept.
const ROWS_KEPT: usize = 2048;

/// Answers step times and KV capacities of one configuration. Cheap to clone; clones share everything.
///
/// Times are milliseconds, not rounded. Every method takes any `u32` and gives a finite time that is not negative, or
/// an error.
#[derive(Debug, Clone)]
pub struct AicEngine {
    pub(crate) bound: Arc<Bound>,
}

/// What clones of an engine share.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) gpu: &'static GpuSpec,
    pub(crate) backend: Backend,
    pub(crate) model: ModelSpec,
    pub(crate) parallel: Parallelism,
    pub(crate) nextn: u32,
    pub(crate) lists: BoundLists,
    rows: Box<[OnceLock<Arc<DecodeRow>>]>,
    version: String,
    warnings: Vec<String>,
}

impl AicEngine {
    /// Resolves a configuration and binds it to its tables.
    ///
    /// # Errors
    /// An [`AicError`] naming what is unknown or does not fit. Operations that were not measured are errors of the
    /// steps that need them.
    pub fn new(config: &AicConfig) -> Result<Self, AicError> {
        let gpu = GpuSpec::find(&config.system)?;
        let backend: Backend = config.backend.parse()?;
        let tables = match &config.perf_data {
            Some(dir) => PerfTables::read_dir(dir, gpu.name, backend.name())?,
            None => PerfTables::embedded(gpu.name, backend.name())?,
        };
        Self::with_tables(config, &tables)
    }

    /// As [`AicEngine::new`], with tables that are loaded already.
    ///
    /// # Errors
    /// As [`AicEngine::new`]; [`AicError::OtherTables`] if the tables are those of another GPU or framework.
    pub fn with_tables(config: &AicConfig, tables: &PerfTables) -> Result<Self, AicError> {
        let gpu = GpuSpec::find(&config.system)?;
        let backend: Backend = config.backend.parse()?;
        if (tables.sku(), tables.backend()) != (gpu.name, backend.name()) {
            return Err(AicError::OtherTables {
                wanted: format!("{} with {backend}", gpu.name),
                found: format!("{} with {}", tables.sku(), tables.backend()),
            });
        }
        let mut warnings = Vec::new();
        warnings.extend(resolve_version(
            gpu.name,
            backend,
            tables.version(),
            config.backend_version.as_deref(),
            config.version_rule,
        )?);
        if config.nextn > NEXTN_MAX {
            let reason = format!(
                "{} draft tokens: expected at most {NEXTN_MAX}",
                config.nextn
            );
            return Err(AicError::Parallelism(reason));
        }
        let model = ModelSpec::find(&config.model)?;
        let parallel = Parallelism::new(
            config.tp,
            config.pp,
            config.attention_dp,
            config.moe_tp,
            config.moe_ep,
        )?;
        let setting = Setting {
            model: &model,
            parallel,
            formats: model.quant.formats(backend, config.formats),
            backend,
            nextn: config.nextn,
        };
        let binder = Binder {
            gpu,
            backend,
            tables,
        };
        let lists = BoundLists::new(&setting, &binder, config)?;
        if lists.attention_fell_back {
            warnings.push(format!(
                "{}: fp8 prefill attention was not measured on {} with {backend}; bfloat16 is used",
                model.id, gpu.name
            ));
        }
        let bound = Bound {
            gpu,
            backend,
            parallel,
            nextn: config.nextn,
            lists,
            rows: (0..ROWS_KEPT).map(|_| OnceLock::new()).collect(),
            version: tables.version().to_owned(),
            warnings,
            model,
        };
        Ok(Self {
            bound: Arc::new(bound),
        })
    }

    /// The GPU.
    #[must_use]
    pub fn gpu(&self) -> &'static GpuSpec {
        self.bound.gpu
    }

    /// The framework.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.bound.backend
    }

    /// Release of the framework that was measured.
    #[must_use]
    pub fn backend_version(&self) -> &str {
        &self.bound.version
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &ModelSpec {
        &self.bound.model
    }

    /// Sizes of the groups of GPUs, with those that were not given.
    #[must_use]
    pub fn parallelism(&self) -> Parallelism {
        self.bound.parallel
    }

    /// Number formats, with those that were not given.
    #[must_use]
    pub fn formats(&self) -> Formats {
        self.bound.lists.formats
    }

    /// Whether bfloat16 stands in for fp8 prefill attention (see [`AicConfig::bf16_attention_fallback`]).
    #[must_use]
    pub fn attention_fell_back(&self) -> bool {
        self.bound.lists.attention_fell_back
    }

    /// What the user should know of the configuration, in sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.bound.warnings
    }

    /// Why no prefill step can be answered, if so: an operation that was not measured or that the GPU has no arithmetic
    /// for. None is no promise for every size of step.
    #[must_use]
    pub fn prefill_unavailable(&self) -> Option<&AicError> {
        self.bound
            .lists
            .prefill
            .iter()
            .find_map(BoundOp::unavailable)
    }

    /// Why no decode step can be answered, as [`AicEngine::prefill_unavailable`].
    #[must_use]
    pub fn decode_unavailable(&self) -> Option<&AicError> {
        self.bound
            .lists
            .decode
            .iter()
            .find_map(BoundOp::unavailable)
    }

    /// GPUs one engine takes: tensor-parallel x pipeline stages x attention data-parallel.
    #[must_use]
    pub fn gpus(&self) -> u32 {
        let parallel = self.bound.parallel;
        parallel
            .tp
            .saturating_mul(parallel.pp)
            .saturating_mul(parallel.attention_dp)
    }

    /// Decode times of one batch of at least 1 request.
    pub(crate) fn decode_row(&self, batch: u32) -> Arc<DecodeRow> {
        let make = || Arc::new(DecodeRow::new(&self.bound, batch));
        match self.bound.rows.get(batch as usize) {
            Some(kept) => Arc::clone(kept.get_or_init(make)),
            None => make(),
        }
    }
}

/// Operations bound in the formats that were settled on.
#[derive(Debug)]
pub(crate) struct BoundLists {
    pub(crate) formats: Formats,
    /// The prefill operations as listed, which the weights follow from.
    pub(crate) prefill_list: Vec<NamedOp>,
    pub(crate) prefill: Vec<BoundOp>,
    pub(crate) decode: Vec<BoundOp>,
    attention_fell_back: bool,
}

impl BoundLists {
    fn new(
        setting: &Setting<'_>,
        binder: &Binder<'_>,
        config: &AicConfig,
    ) -> Result<Self, AicError> {
        let bind = |setting: &Setting<'_>| {
            let lists = OpLists::new(setting)?;
            Ok::<_, AicError>(Self {
                formats: setting.formats,
                prefill: binder.bind_all(&lists.prefill),
                decode: binder.bind_all(&lists.decode),
                prefill_list: lists.prefill,
                attention_fell_back: false,
            })
        };
        let first = bind(setting)?;
        let inferred_fp8 =
            setting.formats.attention == AttentionFormat::Fp8 && config.formats.attention.is_none();
        if !(config.bf16_attention_fallback && inferred_fp8 && first.lacks_attention()) {
            return Ok(first);
        }
        let mut plain = *setting;
        plain.formats.attention = AttentionFormat::Bfloat16;
        let second = bind(&plain)?;
        if second.lacks_attention() {
            return Ok(first);
        }
        Ok(Self {
            attention_fell_back: true,
            ..second
        })
    }

    /// Whether prefill attention was not measured.
    fn lacks_attention(&self) -> bool {
        self.prefill
            .iter()
            .filter(|op| op.has_prefill_attention())
            .filter_map(BoundOp::unavailable)
            .any(AicError::is_missing_data)
    }
}
