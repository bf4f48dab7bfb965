//! Which step-time model an engine uses, and how many KV blocks it has.

use std::path::Path;
use std::sync::Arc;

use aic_perf::{
    AicConfig, AicEngine, AicStepModel, FormatOverrides, GridCsvModel, KvQuery, PolynomialModel,
    ProfileModel, VersionRule,
};
use anyhow::{Context, Result, anyhow};
use mocker::{DEFAULT_BLOCKS, EngineConfig, EngineKind};
use sim_api::{Quirk, Quirks, StepTimeModel};

use super::deployment::Setting;
use crate::args::config::number_format;

/// The GPU of engine arguments that name a backend but no system.
const DEFAULT_SYSTEM: &str = "h200_sxm";

/// A step-time model, ready to be made for any number of engines.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    model: Model,
    /// Set where the engine arguments name a GPU and a model, used for timing
    /// or not.
    aic: Option<AicEngine>,
}

#[derive(Clone, Debug)]
enum Model {
    Polynomial,
    Aic,
    Profile(Arc<ProfileModel>),
    Grid(Arc<GridCsvModel>),
}

impl Timing {
    /// The model that the engine arguments ask for.
    pub(crate) fn resolve(
        config: &EngineConfig,
        setting: Setting<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let aic = aic_engine(config, setting)?;
        if let Some(engine) = &aic {
            notes.extend(engine.warnings().iter().cloned());
        }
        let ignored =
            setting.planner.is_some() && setting.quirks.has(Quirk::PlannerIgnoresAicTiming);
        let model = match &config.profile {
            _ if aic.is_some() && !ignored => Model::Aic,
            Some(path) => measured(path, setting, notes)?,
            None => Model::Polynomial,
        };
        let timing = Self { model, aic };
        timing.probe()?;
        Ok(timing)
    }

    /// Asks for the simplest steps, so that missing tables are known before
    /// the run.
    fn probe(&self) -> Result<()> {
        let (Model::Aic, Some(engine)) = (&self.model, &self.aic) else {
            return Ok(());
        };
        let described = || format!("no step times for {}", describe_engine(engine));
        engine.prefill_ms(1, 1024, 0).with_context(described)?;
        engine.decode_ms(1, 1024, 2).with_context(described)?;
        Ok(())
    }

    /// A model for one engine.
    pub(crate) fn model(&self) -> Box<dyn StepTimeModel> {
        match (&self.model, &self.aic) {
            (Model::Aic, Some(engine)) => Box::new(AicStepModel::new(engine.clone())),
            (Model::Profile(profile), _) => Box::new(ProfileModel::clone(profile)),
            (Model::Grid(grid), _) => Box::new(GridCsvModel::clone(grid)),
            _ => Box::new(PolynomialModel),
        }
    }

    /// KV blocks of an engine: as given, or what the memory model answers, or
    /// the reference's default.
    pub(crate) fn kv_blocks(&self, config: &EngineConfig, setting: Setting<'_>) -> Result<u32> {
        if let Some(blocks) = config.blocks {
            return Ok(blocks);
        }
        let (Some(engine), true) = (&self.aic, config.wants_memory_model(setting.quirks)) else {
            return Ok(DEFAULT_BLOCKS);
        };
        let memory = config.memory;
        let query = KvQuery {
            block_size: config.block_tokens,
            max_num_batched_tokens: config.max_batched_tokens.unwrap_or(8192),
            memory_fraction: match config.kind {
                EngineKind::Vllm => memory.gpu_memory_utilization,
                EngineKind::Sglang => memory.mem_fraction_static,
                EngineKind::Trtllm => memory.free_gpu_memory_fraction,
            },
        };
        let capacity = engine
            .kv_capacity(query)
            .with_context(|| format!("no KV capacity for {}", describe_engine(engine)))?;
        u32::try_from(capacity.blocks)
            .ok()
            .filter(|&blocks| blocks > 0)
            .ok_or_else(|| {
                anyhow!(
                    "the memory model leaves room for {} KV blocks; give num_gpu_blocks",
                    capacity.blocks
                )
            })
    }

    /// GPUs of one worker, where a model says so.
    pub(crate) fn gpus(&self) -> Option<u32> {
        self.aic.as_ref().map(AicEngine::gpus)
    }

    /// The engine behind `aic_*` arguments.
    pub(crate) fn aic(&self) -> Option<&AicEngine> {
        self.aic.as_ref()
    }

    /// In words.
    pub(crate) fn describe(&self) -> String {
        match (&self.model, &self.aic) {
            (Model::Aic, Some(engine)) => format!("step times of {}", describe_engine(engine)),
            (Model::Profile(_), _) => "step times of a measured profile".to_owned(),
            (Model::Grid(_), _) => "step times of a measured grid".to_owned(),
            _ => "polynomial step times".to_owned(),
        }
    }
}

/// Step times from a file: a CSV grid, or the reference's NPZ profile.
fn measured(path: &Path, setting: Setting<'_>, notes: &mut Vec<String>) -> Result<Model> {
    let is_csv = path.extension().is_some_and(|extension| extension == "csv");
    let loaded = if is_csv {
        GridCsvModel::load(path)
            .map(|grid| Model::Grid(Arc::new(grid)))
            .map_err(anyhow::Error::from)
    } else {
        ProfileModel::load(path)
            .map(|profile| Model::Profile(Arc::new(profile)))
            .map_err(anyhow::Error::from)
    };
    match loaded {
        Err(error) if setting.quirks.has(Quirk::LaxConfig) => {
            notes.push(format!("{error:#}; polynomial step times are used instead"));
            Ok(Model::Polynomial)
        }
        other => other.context("planner_profile_data"),
    }
}

fn describe_engine(engine: &AicEngine) -> String {
    format!(
        "{} on {} x {} with {} {}",
        engine.model().id(),
        engine.gpus(),
        engine.gpu().name,
        engine.backend(),
        engine.backend_version()
    )
}

/// What to do with a version of the tables that is not known.
pub(super) fn version_rule(quirks: Quirks) -> VersionRule {
    if quirks.has(Quirk::UnknownAicVersionIsCurrent) {
        VersionRule::MapToCurrent
    } else {
        VersionRule::Strict
    }
}

fn aic_engine(config: &EngineConfig, setting: Setting<'_>) -> Result<Option<AicEngine>> {
    let args = &config.aic;
    let Some(backend) = &args.backend else {
        return Ok(None);
    };
    let model = args.model_path.as_deref().ok_or_else(|| {
        anyhow!("aic_backend needs aic_model_path: the id of a known model or a folder with its config.json")
    })?;
    let system = args.system.as_deref().unwrap_or(DEFAULT_SYSTEM);
    let quirks = setting.quirks;
    let formats = FormatOverrides {
        gemm: number_format("aic_gemm_dtype", args.gemm_dtype.as_deref())?,
        moe: number_format("aic_moe_dtype", args.moe_dtype.as_deref())?,
        attention: number_format("aic_fmha_dtype", args.fmha_dtype.as_deref())?,
        kv_cache: number_format("aic_kv_cache_dtype", args.kv_cache_dtype.as_deref())?,
    };
    let aic = AicConfig {
        backend_version: args.backend_version.clone(),
        version_rule: version_rule(quirks),
        tp: args.tp_size.unwrap_or(1),
        attention_dp: args.attention_dp_size.unwrap_or(1),
        moe_tp: args.moe_tp_size,
        moe_ep: args.moe_ep_size,
        nextn: config
            .speculation
            .as_ref()
            .map_or(0, mocker::Speculation::draft_tokens),
        formats,
        bf16_attention_fallback: !quirks.has(Quirk::RefuseLaterFeatures),
        perf_data: setting.perf_data.map(Path::to_owned),
        ..AicConfig::new(system, backend, model)
    };
    setting
        .shared
        .engine(&aic)
        .context("aic_* engine arguments")
        .map(Some)
}
