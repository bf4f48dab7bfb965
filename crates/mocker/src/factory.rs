//! Makes the engines of a deployment.

use std::fmt;
use std::sync::{Arc, OnceLock};

use sim_api::{
    Engine, EngineFactory, Feeds, Pool, Rejection, StepTimeModel, WorkerId, WorkerProfile,
};

use crate::config::{SglangConfig, Speculation, VllmConfig};
use crate::literal::LiteralVllm;
use crate::sglang::Sglang;
use crate::vllm::{StepTimes, VllmEngine};

/// Makes a step-time model for one worker.
pub type ModelMaker = Arc<dyn Fn() -> Box<dyn StepTimeModel> + Send + Sync>;

/// The scheduler of a pool's workers.
#[derive(Clone, Debug, PartialEq)]
pub enum Scheduler {
    /// vLLM.
    Vllm(VllmConfig),
    /// SGLang. Has one implementation.
    Sglang(SglangConfig),
}

/// The workers of one pool.
#[derive(Clone)]
pub struct PoolEngines {
    /// What they are told.
    pub scheduler: Scheduler,
    /// GPUs of one worker.
    pub gpus: u32,
    /// How long their steps take.
    pub model: ModelMaker,
}

impl fmt::Debug for PoolEngines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolEngines")
            .field("scheduler", &self.scheduler)
            .field("gpus", &self.gpus)
            .finish_non_exhaustive()
    }
}

/// Which implementation of an engine runs. Both give the same answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Implementation {
    /// Skips what does not change.
    #[default]
    Fast,
    /// Goes pass by pass and request by request.
    Literal,
}

/// Makes the engines of a deployment.
#[derive(Clone, Debug)]
pub struct Factory {
    prefill: Option<PoolEngines>,
    decode: PoolEngines,
    implementation: Implementation,
    /// Step times that the fast workers of a pool share, once there are any.
    prefill_times: SharedTimes,
    decode_times: SharedTimes,
}

type SharedTimes = Arc<OnceLock<StepTimes>>;

impl Factory {
    /// Workers that prefill and decode.
    pub fn aggregated(workers: PoolEngines) -> Self {
        Self {
            prefill: None,
            decode: workers,
            implementation: Implementation::default(),
            prefill_times: SharedTimes::default(),
            decode_times: SharedTimes::default(),
        }
    }

    /// A pool of workers for prefill and one for decode.
    pub fn disaggregated(prefill: PoolEngines, decode: PoolEngines) -> Self {
        Self {
            prefill: Some(prefill),
            ..Self::aggregated(decode)
        }
    }

    /// The same engines by another implementation.
    #[must_use]
    pub fn with(self, implementation: Implementation) -> Self {
        Self {
            implementation,
            ..self
        }
    }

    /// The workers of `pool`; where there is one pool only, that one.
    fn pool(&self, pool: Pool) -> &PoolEngines {
        match pool {
            Pool::Prefill => self.prefill.as_ref().unwrap_or(&self.decode),
            Pool::Decode => &self.decode,
        }
    }
}

impl EngineFactory for Factory {
    fn spawn(&self, pool: Pool, id: WorkerId, feeds: Feeds) -> Box<dyn Engine> {
        let workers = self.pool(pool);
        let model = &workers.model;
        match &workers.scheduler {
            Scheduler::Vllm(config) if self.implementation == Implementation::Fast => {
                let times = match pool {
                    Pool::Prefill if self.prefill.is_some() => &self.prefill_times,
                    _ => &self.decode_times,
                };
                let times = times.get_or_init(|| StepTimes::new(model(), config));
                Box::new(VllmEngine::new(config.clone(), id, times.clone(), feeds))
            }
            Scheduler::Vllm(config) => {
                Box::new(LiteralVllm::engine(config.clone(), id, model(), feeds))
            }
            Scheduler::Sglang(config) => Box::new(Sglang::engine(config.clone(), model(), feeds)),
        }
    }

    fn profile(&self, pool: Pool) -> WorkerProfile {
        let workers = self.pool(pool);
        match &workers.scheduler {
            Scheduler::Vllm(config) => WorkerProfile {
                block_tokens: config.block_tokens,
                blocks: config.blocks,
                max_batched_tokens: config.max_batched_tokens,
                max_sequences: config.max_sequences,
                role: config.role,
                gpus: workers.gpus,
                draft_tokens: config
                    .speculation
                    .as_ref()
                    .map_or(0, Speculation::draft_tokens),
            },
            Scheduler::Sglang(config) => WorkerProfile {
                block_tokens: config.page_tokens,
                blocks: config.pages,
                max_batched_tokens: config.max_batched_tokens,
                max_sequences: None,
                role: config.role,
                gpus: workers.gpus,
                draft_tokens: 0,
            },
        }
    }

    fn check(&self, pool: Pool, input_tokens: u32, output_tokens: u32) -> Result<(), Rejection> {
        let limits = match &self.pool(pool).scheduler {
            Scheduler::Vllm(config) => config.limits(),
            Scheduler::Sglang(config) => config.limits(),
        };
        limits.admit(input_tokens, output_tokens).map(|_| ())
    }
}
