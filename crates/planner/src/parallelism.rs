//! GPUs of an engine from its parallelism.

use crate::config::EngineParallelism;

impl EngineParallelism {
    /// GPUs of one engine.
    ///
    /// ```
    /// use planner::EngineParallelism;
    ///
    /// let engine = EngineParallelism { tp: 2, pp: 1, dp: 4, moe_tp: 2, moe_ep: 4 };
    /// assert_eq!(engine.gpus(), 8);
    /// assert_eq!(engine.label(), "dep4");
    /// ```
    #[must_use]
    pub fn gpus(&self) -> u64 {
        u64::from(self.tp) * u64::from(self.pp) * u64::from(self.dp)
    }

    /// GPUs that share one attention head group: all tensor-parallel ranks, but 1 where attention is data parallel
    /// under expert parallelism.
    #[must_use]
    pub fn tensor_parallel(&self) -> u32 {
        if self.moe_ep > 1 {
            1
        } else if self.moe_tp > 1 {
            self.moe_tp
        } else {
            self.tp
        }
    }

    /// A short name: `depN` for expert parallelism over data-parallel ranks, `tepN` for tensor-parallel experts,
    /// else `tpN`.
    #[must_use]
    pub fn label(&self) -> String {
        if self.moe_ep > 1 {
            format!("dep{}", self.moe_ep)
        } else if self.moe_tp > 1 {
            format!("tep{}", self.moe_tp)
        } else {
            format!("tp{}", self.tp)
        }
    }
}
