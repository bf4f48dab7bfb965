//! A model on GPUs, as asked for by flags or by a JSON line.

use std::path::PathBuf;

use aic_perf::{AicConfig, FormatOverrides};
use anyhow::Result;
use serde::Deserialize;

use crate::args::config::number_format;
use crate::args::perf::PerfModelArgs;

/// The fields of a question that choose an engine.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct ModelQuestion {
    model: String,
    system: String,
    backend: String,
    backend_version: Option<String>,
    tp_size: Option<u32>,
    pp_size: Option<u32>,
    attention_dp_size: Option<u32>,
    moe_tp_size: Option<u32>,
    moe_ep_size: Option<u32>,
    nextn: Option<u32>,
    gemm_dtype: Option<String>,
    moe_dtype: Option<String>,
    fmha_dtype: Option<String>,
    kv_cache_dtype: Option<String>,
    #[serde(skip)]
    pub(crate) perf_data: Option<PathBuf>,
}

impl From<&PerfModelArgs> for ModelQuestion {
    fn from(args: &PerfModelArgs) -> Self {
        let args = args.clone();
        Self {
            model: args.model,
            system: args.system,
            backend: args.backend,
            backend_version: args.backend_version,
            tp_size: args.tp_size,
            pp_size: args.pp_size,
            attention_dp_size: args.attention_dp_size,
            moe_tp_size: args.moe_tp_size,
            moe_ep_size: args.moe_ep_size,
            nextn: args.nextn,
            gemm_dtype: args.gemm_dtype,
            moe_dtype: args.moe_dtype,
            fmha_dtype: args.fmha_dtype,
            kv_cache_dtype: args.kv_cache_dtype,
            perf_data: args.perf_data,
        }
    }
}

impl ModelQuestion {
    /// The configuration it stands for.
    pub(crate) fn config(&self, bf16_attention_fallback: bool) -> Result<AicConfig> {
        Ok(AicConfig {
            backend_version: self.backend_version.clone(),
            tp: self.tp_size.unwrap_or(1),
            pp: self.pp_size.unwrap_or(1),
            attention_dp: self.attention_dp_size.unwrap_or(1),
            moe_tp: self.moe_tp_size,
            moe_ep: self.moe_ep_size,
            nextn: self.nextn.unwrap_or(0),
            formats: FormatOverrides {
                gemm: number_format("gemm_dtype", self.gemm_dtype.as_deref())?,
                moe: number_format("moe_dtype", self.moe_dtype.as_deref())?,
                attention: number_format("fmha_dtype", self.fmha_dtype.as_deref())?,
                kv_cache: number_format("kv_cache_dtype", self.kv_cache_dtype.as_deref())?,
            },
            bf16_attention_fallback,
            perf_data: self.perf_data.clone(),
            ..AicConfig::new(&self.system, &self.backend, &self.model)
        })
    }
}
