//! How a checkpoint is quantised, from `config.json` and `hf_quant_config.json`.

use serde_json::Value;

use super::{DeclaredQuant, Exclusions};
use crate::error::AicError;
use crate::quant::{KvFormat, WeightFormat};

/// The parts of the two files that describe quantisation.
pub(super) struct QuantFiles<'a> {
    /// `quantization_config` of `config.json`.
    pub(super) config: Option<&'a Value>,
    pub(super) config_place: &'a str,
    /// `quantization` of `hf_quant_config.json`.
    pub(super) hf_quant: Option<&'a Value>,
    pub(super) hf_quant_place: &'a str,
}

impl QuantFiles<'_> {
    pub(super) fn parse(&self) -> Result<DeclaredQuant, AicError> {
        let Some(algorithm) = self.algorithm() else {
            return Ok(DeclaredQuant {
                kv: self.kv()?,
                ..DeclaredQuant::NONE
            });
        };
        let dynamic = self.dynamic_activations();
        let (gemm, moe) = self.weights(&algorithm, dynamic)?;
        let kv = self.kv()?;
        Ok(DeclaredQuant {
            gemm,
            moe,
            kv,
            fp8_attention: matches!(algorithm.as_str(), "fp8" | "fp8_block" | "nvfp4")
                || kv == Some(KvFormat::Fp8),
            block_rows: self.block_rows().unwrap_or(DeclaredQuant::NONE.block_rows),
            excluded: self.exclusions(),
        })
    }

    /// The quantisation algorithm in lower case, variants folded; none where nothing is quantised.
    fn algorithm(&self) -> Option<String> {
        let named = self
            .in_hf_quant("quant_algo")
            .or_else(|| self.in_config("quant_algo"))
            .or_else(|| self.in_config("quant_method"))
            .or_else(|| self.in_config("quantization_method"))?;
        let name = named.as_str()?.to_lowercase();
        Some(match name.as_str() {
            "w4a16_mxfp4" => "mxfp4".to_owned(),
            "fp8" if self.block_rows().is_some() => "fp8_block".to_owned(),
            mixed if mixed.contains("mixed") => "mixed_precision".to_owned(),
            _ => name,
        })
    }

    fn in_config(&self, field: &str) -> Option<&Value> {
        present(&self.config?[field])
    }

    fn in_hf_quant(&self, field: &str) -> Option<&Value> {
        present(&self.hf_quant?[field])
    }

    fn block_rows(&self) -> Option<u32> {
        let rows = self.in_config("weight_block_size")?[0].as_u64()?;
        u32::try_from(rows).ok().filter(|rows| *rows > 0)
    }

    /// Formats of matrix multiplications and experts.
    fn weights(
        &self,
        algorithm: &str,
        dynamic: Option<bool>,
    ) -> Result<(WeightFormat, WeightFormat), AicError> {
        let both = |format| Ok((format, format));
        match algorithm {
            "compressed-tensors" => {
                let base = self.compressed_tensors_base()?;
                let or_plain = |ignored: bool| if ignored { WeightFormat::Bfloat16 } else { base };
                let patterns = || self.ignored_modules();
                let attention = patterns().any(|pattern| pattern.contains("self_attn"));
                let experts = patterns().any(is_routed_expert);
                Ok((or_plain(attention), or_plain(experts)))
            }
            "mixed_precision" => self.mixed_weights(dynamic),
            "mxfp4" => Ok((WeightFormat::Bfloat16, WeightFormat::W4a16Mxfp4)),
            "fp8" => {
                let gemm = if dynamic == Some(true) {
                    WeightFormat::Fp8
                } else {
                    WeightFormat::Fp8Static
                };
                Ok((gemm, WeightFormat::Fp8))
            }
            "fp8_block" | "mxfp8" => both(WeightFormat::Fp8Block),
            "nvfp4" => both(WeightFormat::Nvfp4),
            "w4a16_nvfp4" => both(WeightFormat::W4a16Nvfp4),
            "none" => both(WeightFormat::Bfloat16),
            other => Err(self.wrong(
                "quant_algo",
                format!(
                    "{other:?} is not supported (supported: fp8, nvfp4, mxfp4, compressed-tensors, mixed_precision)"
                ),
            )),
        }
    }

    /// The weight format of the first group of a compressed-tensors checkpoint.
    fn compressed_tensors_base(&self) -> Result<WeightFormat, AicError> {
        let group = self
            .in_config("config_groups")
            .and_then(Value::as_object)
            .and_then(|groups| groups.values().next());
        let weights = group.map_or(&Value::Null, |group| &group["weights"]);
        let strategy = weights["strategy"].as_str().unwrap_or_default();
        let bits = weights["num_bits"].as_u64();
        match (weights["type"].as_str(), bits) {
            (Some("int"), Some(4)) => Ok(WeightFormat::Int4Wo),
            (Some("int"), Some(8)) => Ok(WeightFormat::Int8Wo),
            (Some("float"), Some(8)) if strategy == "block" => Ok(WeightFormat::Fp8Block),
            (Some("float"), Some(8)) => Ok(WeightFormat::Fp8),
            (Some("float"), Some(4)) => Ok(WeightFormat::W4a16Mxfp4),
            _ => Err(self.wrong(
                "config_groups",
                "expected a first group with weights of int4, int8, float8 or float4".to_owned(),
            )),
        }
    }

    /// Formats of a checkpoint that quantises each layer by itself: what most routed experts and most others have.
    fn mixed_weights(
        &self,
        dynamic: Option<bool>,
    ) -> Result<(WeightFormat, WeightFormat), AicError> {
        let layers = self
            .in_hf_quant("quantized_layers")
            .or_else(|| self.in_config("quantized_layers"))
            .and_then(Value::as_object)
            .ok_or_else(|| {
                let reason = "missing: mixed precision needs the algorithm of each layer";
                self.wrong("quantized_layers", reason.to_owned())
            })?;
        let mut gemm = Votes::default();
        let mut moe = Votes::default();
        for (name, layer) in layers {
            let Some(algorithm) = layer["quant_algo"].as_str() else {
                continue;
            };
            let algorithm = algorithm.to_lowercase();
            if algorithm == "mixed_precision" {
                continue;
            }
            let (of_gemm, of_experts) = self.weights(&algorithm, dynamic)?;
            if is_routed_expert(name) {
                moe.add(of_experts);
            } else {
                gemm.add(of_gemm);
            }
        }
        Ok((gemm.winner(), moe.winner()))
    }

    /// The format of the KV cache, where one is declared.
    fn kv(&self) -> Result<Option<KvFormat>, AicError> {
        let declared = self
            .in_hf_quant("kv_cache_quant_algo")
            .or_else(|| self.in_config("kv_cache_quant_algo"))
            .or_else(|| self.in_config("kv_cache_quant_method"))
            .or_else(|| self.in_config("kv_cache_dtype"))
            .or_else(|| self.in_config("kv_cache_scheme"));
        let Some(declared) = declared else {
            return Ok(None);
        };
        if let Some(name) = declared.as_str() {
            return match name.to_lowercase().as_str() {
                "auto" | "none" | "" => Ok(None),
                name if ["fp8", "e4m3", "e5m2"]
                    .iter()
                    .any(|part| name.contains(part)) =>
                {
                    Ok(Some(KvFormat::Fp8))
                }
                "fp16" | "float16" | "bf16" | "bfloat16" => Ok(Some(KvFormat::Bfloat16)),
                other => Err(self.wrong(
                    "kv_cache_quant_algo",
                    format!("{other:?} is not supported (supported: fp8, bf16, fp16)"),
                )),
            };
        }
        Ok(
            match (declared["type"].as_str(), declared["num_bits"].as_u64()) {
                (Some("float"), Some(..=8)) => Some(KvFormat::Fp8),
                (Some("float"), Some(16..)) => Some(KvFormat::Bfloat16),
                _ => None,
            },
        )
    }

    /// Whether scales of activations are computed at run time, where that is declared.
    fn dynamic_activations(&self) -> Option<bool> {
        match self.in_config("activation_scheme").and_then(Value::as_str) {
            Some("dynamic") => return Some(true),
            Some("static") => return Some(false),
            _ => {}
        }
        self.in_config("config_groups")?
            .as_object()?
            .values()
            .flat_map(|group| [&group["input_activations"], &group["weights"]])
            .find_map(|part| part["dynamic"].as_bool())
    }

    /// Patterns of modules that are not quantised, from all the places that list them.
    fn ignored_modules(&self) -> impl Iterator<Item = &str> {
        let from_config = ["modules_to_not_convert", "exclude_modules", "ignore"]
            .into_iter()
            .filter_map(|field| self.in_config(field));
        let from_hf_quant = ["exclude_modules", "ignore"]
            .into_iter()
            .filter_map(|field| self.in_hf_quant(field));
        from_config
            .chain(from_hf_quant)
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_str)
    }

    fn exclusions(&self) -> Exclusions {
        const Q: [&str; 3] = ["q_a_proj", "q_b_proj", "q_proj"];
        const KV: [&str; 5] = ["kv_a_proj", "kv_b_proj", "kv_proj", "k_proj", "v_proj"];
        const O: [&str; 1] = ["o_proj"];
        let mut excluded = Exclusions::default();
        for pattern in self.ignored_modules() {
            let names = |projections: &[&str]| projections.iter().any(|p| pattern.contains(p));
            let whole = pattern.contains("self_attn") && !names(&Q) && !names(&KV) && !names(&O);
            excluded.q |= whole || names(&Q);
            excluded.kv |= whole || names(&KV);
            excluded.o |= whole || names(&O);
            excluded.shared_experts |= pattern.contains("shared_expert");
        }
        excluded
    }

    fn wrong(&self, field: &str, reason: String) -> AicError {
        let place = if self.in_hf_quant(field).is_some() {
            self.hf_quant_place
        } else {
            self.config_place
        };
        AicError::ModelField {
            place: place.to_owned(),
            field: field.to_owned(),
            reason,
        }
    }
}

fn present(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn is_routed_expert(module: &str) -> bool {
    module.contains("experts") && !module.contains("shared_expert")
}

/// How many layers have each format, in the order they were met.
#[derive(Default)]
struct Votes(Vec<(WeightFormat, usize)>);

impl Votes {
    fn add(&mut self, format: WeightFormat) {
        match self.0.iter_mut().find(|(have, _)| *have == format) {
            Some((_, votes)) => *votes += 1,
            None => self.0.push((format, 1)),
        }
    }

    fn winner(&self) -> WeightFormat {
        let most = self.0.iter().rev().max_by_key(|(_, votes)| *votes);
        most.map_or(WeightFormat::Bfloat16, |(format, _)| *format)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: &Value, hf_quant: &Value) -> Result<DeclaredQuant, AicError> {
        QuantFiles {
            config: present(config),
            config_place: "config.json",
            hf_quant: present(hf_quant),
            hf_quant_place: "hf_quant_config.json",
        }
        .parse()
    }

    #[test]
    fn block_scales_make_fp8_block() {
        let config = json!({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]});
        let quant = parse(&config, &Value::Null).unwrap();
        assert_eq!(quant.gemm, WeightFormat::Fp8Block);
        assert_eq!(quant.moe, WeightFormat::Fp8Block);
        assert!(quant.fp8_attention);
    }

    #[test]
    fn plain_fp8_is_static_unless_declared_dynamic() {
        let hf_quant = json!({"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"});
        let quant = parse(&Value::Null, &hf_quant).unwrap();
        assert_eq!(
            (quant.gemm, quant.moe),
            (WeightFormat::Fp8Static, WeightFormat::Fp8)
        );
        assert_eq!(quant.kv, Some(KvFormat::Fp8));
        let config = json!({"quant_method": "fp8", "activation_scheme": "dynamic"});
        assert_eq!(
            parse(&config, &Value::Null).unwrap().gemm,
            WeightFormat::Fp8
        );
    }

    #[test]
    fn compressed_tensors_respects_what_is_ignored() {
        let config = json!({
            "quant_method": "compressed-tensors",
            "config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 4}}},
            "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"]
        });
        let quant = parse(&config, &Value::Null).unwrap();
        assert_eq!(
            (quant.gemm, quant.moe),
            (WeightFormat::Bfloat16, WeightFormat::Int4Wo)
        );
        assert!(quant.excluded.q && quant.excluded.o && quant.excluded.shared_experts);
        assert!(!quant.fp8_attention);
    }

    #[test]
    fn exclusions_of_single_projections() {
        let hf_quant = json!({
            "quant_algo": "NVFP4",
            "exclude_modules": ["model.layers.0.self_attn.kv_a_proj_with_mqa", "model.layers.0.self_attn.q_a_proj"]
        });
        let excluded = parse(&Value::Null, &hf_quant).unwrap().excluded;
        assert!(excluded.q && excluded.kv && !excluded.o && !excluded.shared_experts);
    }

    #[test]
    fn mixed_precision_takes_what_most_layers_have() {
        let hf_quant = json!({
            "quant_algo": "MIXED_PRECISION",
            "quantized_layers": {
                "l0.mlp.experts.0": {"quant_algo": "NVFP4"}, "l0.self_attn.o_proj": {"quant_algo": "FP8"},
                "l1.mlp.shared_experts.up": {"quant_algo": "MXFP8"}, "l2.mlp.shared_experts.up": {"quant_algo": "MXFP8"}
            }
        });
        let quant = parse(&Value::Null, &hf_quant).unwrap();
        assert_eq!(
            (quant.gemm, quant.moe),
            (WeightFormat::Fp8Block, WeightFormat::Nvfp4)
        );
    }

    #[test]
    fn unknown_algorithms_are_named() {
        let message = parse(&json!({"quant_method": "awq"}), &Value::Null)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("awq") && message.contains("nvfp4"),
            "{message}"
        );
    }
}
