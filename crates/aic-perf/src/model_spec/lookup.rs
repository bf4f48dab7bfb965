//! Finding a model: a directory with its configuration, or one that is built in.

use std::path::{Path, PathBuf};

use super::DeclaredQuant;
use super::bundled::{BUNDLED, Bundled};
use super::hf_config;
use crate::error::AicError;
use crate::nearest::hint;

/// Models whose layers are made of the same operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Grouped-query attention and a dense feed-forward block.
    Dense,
    /// Grouped-query attention and experts.
    Moe,
    /// Latent attention, experts and a shared expert.
    Mla,
}

/// Dimensions of latent attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MlaDims {
    pub(crate) v_head_dim: u32,
    pub(crate) kv_lora_rank: u32,
    pub(crate) qk_rope_head_dim: u32,
}

/// A model's dimensions and quantisation.
///
/// ```
/// use aic_perf::ModelSpec;
/// let spec = ModelSpec::find("Qwen/Qwen3-32B")?;
/// assert_eq!((spec.layers(), spec.max_positions()), (64, 40_960));
/// # Ok::<(), aic_perf::AicError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpec {
    pub(crate) id: String,
    pub(crate) family: Family,
    pub(crate) layers: u32,
    pub(crate) heads: u32,
    pub(crate) kv_heads: u32,
    pub(crate) head_dim: u32,
    pub(crate) hidden: u32,
    pub(crate) inter: u32,
    pub(crate) vocab: u32,
    pub(crate) max_positions: u32,
    pub(crate) topk: u32,
    pub(crate) experts: u32,
    pub(crate) moe_inter: u32,
    pub(crate) mla: Option<MlaDims>,
    /// Queries and keys are normalised in each head.
    pub(crate) qk_norm: bool,
    /// Every other layer attends to this many tokens only.
    pub(crate) alternating_window: Option<u32>,
    pub(crate) quant: DeclaredQuant,
}

impl ModelSpec {
    /// The model in a directory (its `config.json`, and `hf_quant_config.json` if there is one), or a built-in one by
    /// id, letter case and owner aside.
    ///
    /// # Errors
    /// [`AicError::UnknownModel`] naming the nearest id, [`AicError::UnreadableModel`] or [`AicError::ModelField`] for
    /// a directory without a usable configuration.
    pub fn find(model: &str) -> Result<Self, AicError> {
        let path = Path::new(model);
        if path.is_dir() {
            return Self::from_dir(path);
        }
        if path.is_file() && path.file_name().is_some_and(|name| name == "config.json") {
            return Self::from_dir(path.parent().unwrap_or(Path::new(".")));
        }
        let name = model.trim().trim_end_matches('/');
        let matches = |bundled: &Bundled, short: bool| {
            let id = if short {
                bundled.id.rsplit('/').next().unwrap_or_default()
            } else {
                bundled.id
            };
            id.eq_ignore_ascii_case(name)
        };
        [false, true]
            .into_iter()
            .find_map(|short| BUNDLED.iter().find(|bundled| matches(bundled, short)))
            .map(Bundled::spec)
            .ok_or_else(|| AicError::UnknownModel {
                given: model.to_owned(),
                hint: hint(model, BUNDLED.iter().map(|bundled| bundled.id)),
            })
    }

    /// The model whose configuration files are in `dir`.
    ///
    /// # Errors
    /// As [`ModelSpec::find`].
    pub fn from_dir(dir: &Path) -> Result<Self, AicError> {
        let config_path = dir.join("config.json");
        let config = read_json(&config_path)?;
        let quant_path = dir.join("hf_quant_config.json");
        let quant = if quant_path.is_file() {
            Some(read_json(&quant_path)?)
        } else {
            None
        };
        let files = hf_config::Files {
            config: &config,
            config_place: config_path.display().to_string(),
            quant: quant.as_ref(),
            quant_place: quant_path.display().to_string(),
        };
        files.parse(&dir.display().to_string())
    }

    /// Ids of the built-in models, ascending.
    pub fn bundled_ids() -> impl Iterator<Item = &'static str> {
        BUNDLED.iter().map(|bundled| bundled.id)
    }

    /// The id or path it was found by.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Decoder layers.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.layers
    }

    /// Longest context in tokens the model was trained for; 0 where its configuration does not say.
    #[must_use]
    pub fn max_positions(&self) -> u32 {
        self.max_positions
    }

    /// Routed experts in a layer, 0 for a dense model.
    #[must_use]
    pub fn experts(&self) -> u32 {
        self.experts
    }
}

fn read_json(path: &PathBuf) -> Result<serde_json::Value, AicError> {
    let unreadable = |reason: String| AicError::UnreadableModel {
        path: path.clone(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(unreadable("expected a JSON object".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_without_owner_and_case() {
        let spec = ModelSpec::find("qwen3-32b-fp8").unwrap();
        assert_eq!(spec.id(), "Qwen/Qwen3-32B-FP8");
    }

    #[test]
    fn unknown_id_names_the_nearest_and_the_way_out() {
        let message = ModelSpec::find("Qwen/Qwen3-33B").unwrap_err().to_string();
        assert!(message.contains("did you mean \"Qwen/Qwen3-"), "{message}");
        assert!(message.contains("config.json"), "{message}");
    }

    #[test]
    fn bundled_ids_are_sorted_and_whole() {
        let ids: Vec<_> = ModelSpec::bundled_ids().collect();
        assert!(ids.is_sorted_by_key(|id| id.to_lowercase()), "{ids:?}");
        for id in ids {
            let spec = ModelSpec::find(id).unwrap();
            assert_eq!(spec.mla.is_some(), spec.family == Family::Mla);
            assert!(spec.heads * spec.head_dim > 0 && spec.kv_heads <= spec.heads);
        }
    }
}
