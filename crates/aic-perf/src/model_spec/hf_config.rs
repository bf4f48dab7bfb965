//! Dimensions from a model's `config.json`.

use serde_json::Value;

use super::hf_quant::QuantFiles;
use super::{Family, MlaDims, ModelSpec};
use crate::error::AicError;
use crate::nearest::hint;

/// Most layers, heads, elements of a head and experts taken for a number of them, and the largest width, vocabulary or
/// other size; keeps products within 64 bits.
const COUNT_MAX: u32 = 1 << 14;
const WIDTH_MAX: u32 = 1 << 24;

/// Fields that count something.
const COUNTS: [&str; 13] = [
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "attention_head_dim",
    "num_experts_per_tok",
    "top_k_experts",
    "moe_top_k",
    "num_local_experts",
    "n_routed_experts",
    "moe_num_experts",
    "num_experts",
    "v_head_dim",
];

/// The configuration files of a model.
pub(super) struct Files<'a> {
    pub(super) config: &'a Value,
    pub(super) config_place: String,
    pub(super) quant: Option<&'a Value>,
    pub(super) quant_place: String,
}

/// What an architecture's name tells.
struct Architecture {
    name: &'static str,
    family: Family,
    qk_norm: bool,
    alternating_window: Option<u32>,
}

const fn architecture(name: &'static str, family: Family) -> Architecture {
    Architecture {
        name,
        family,
        qk_norm: false,
        alternating_window: None,
    }
}

impl Architecture {
    const fn with_qk_norm(self) -> Self {
        Self {
            qk_norm: true,
            ..self
        }
    }
}

const ARCHITECTURES: [Architecture; 13] = [
    architecture("LlamaForCausalLM", Family::Dense),
    architecture("Qwen2ForCausalLM", Family::Dense),
    architecture("Qwen3ForCausalLM", Family::Dense).with_qk_norm(),
    architecture("MiMoForCausalLM", Family::Dense),
    architecture("MixtralForCausalLM", Family::Moe),
    Architecture {
        alternating_window: Some(128),
        ..architecture("GptOssForCausalLM", Family::Moe)
    },
    architecture("Qwen2MoeForCausalLM", Family::Moe),
    architecture("Qwen3MoeForCausalLM", Family::Moe).with_qk_norm(),
    architecture("MiniMaxM2ForCausalLM", Family::Moe).with_qk_norm(),
    architecture("DeepSeekForCausalLM", Family::Mla),
    architecture("DeepseekForCausalLM", Family::Mla),
    architecture("DeepseekV3ForCausalLM", Family::Mla),
    architecture("KimiK25ForConditionalGeneration", Family::Mla),
];

impl Files<'_> {
    /// The model these files describe.
    pub(super) fn parse(&self, id: &str) -> Result<ModelSpec, AicError> {
        let architecture = self.architecture()?;
        let fields = Fields {
            value: self.language_model(),
            place: &self.config_place,
        };
        let heads = fields.required(&["num_attention_heads"])?;
        let hidden = fields.required(&["hidden_size"])?;
        let head_dim = fields.optional(&["head_dim", "attention_head_dim"])?;
        let inter = fields.optional(&["intermediate_size"])?;
        let moe_inter = fields.optional(&["moe_intermediate_size"])?.or(inter);
        let topk = &["num_experts_per_tok", "top_k_experts", "moe_top_k"];
        let experts = &[
            "num_local_experts",
            "n_routed_experts",
            "moe_num_experts",
            "num_experts",
        ];
        let mut spec = ModelSpec {
            id: id.to_owned(),
            family: architecture.family,
            layers: fields.required(&["num_hidden_layers"])?,
            heads,
            kv_heads: fields.optional(&["num_key_value_heads"])?.unwrap_or(heads),
            head_dim: head_dim.unwrap_or(hidden / heads).max(1),
            hidden,
            inter: inter.unwrap_or(0),
            vocab: fields.required(&["vocab_size"])?,
            max_positions: fields.value["max_position_embeddings"]
                .as_u64()
                .map_or(0, |positions| u32::try_from(positions).unwrap_or(u32::MAX)),
            topk: 0,
            experts: 0,
            moe_inter: 0,
            mla: None,
            qk_norm: architecture.qk_norm,
            alternating_window: architecture.alternating_window,
            quant: self.quantisation()?,
        };
        if architecture.family == Family::Dense {
            spec.inter = fields.required(&["intermediate_size"])?;
        } else {
            spec.topk = fields.required(topk)?;
            spec.experts = fields.required(experts)?;
            spec.moe_inter =
                moe_inter.ok_or_else(|| fields.wrong("moe_intermediate_size", "missing"))?;
        }
        if architecture.family == Family::Mla {
            spec.mla = Some(MlaDims {
                v_head_dim: fields.optional(&["v_head_dim"])?.unwrap_or(128),
                kv_lora_rank: fields.optional(&["kv_lora_rank"])?.unwrap_or(512),
                qk_rope_head_dim: fields.optional(&["qk_rope_head_dim"])?.unwrap_or(64),
            });
        }
        Ok(spec)
    }

    fn architecture(&self) -> Result<&'static Architecture, AicError> {
        const ALL: &[Architecture] = &ARCHITECTURES;
        let wrong = |reason: String| AicError::ModelField {
            place: self.config_place.clone(),
            field: "architectures".to_owned(),
            reason,
        };
        let name = self.config["architectures"][0]
            .as_str()
            .ok_or_else(|| wrong("expected a list of one name".to_owned()))?;
        ALL.iter().find(|known| known.name == name).ok_or_else(|| {
            let names = || ALL.iter().map(|known| known.name);
            let known = names().collect::<Vec<_>>().join(", ");
            wrong(format!(
                "{name:?} is not supported{} (supported: {known})",
                hint(name, names())
            ))
        })
    }

    /// The part that describes the language model of a multimodal one.
    fn language_model(&self) -> &Value {
        let text = &self.config["text_config"];
        if text.is_object() { text } else { self.config }
    }

    fn quantisation(&self) -> Result<super::DeclaredQuant, AicError> {
        let object = |value: &'_ Value| value.is_object();
        let config = Some(&self.config["quantization_config"])
            .filter(|value| object(value))
            .or_else(|| Some(&self.language_model()["quantization_config"]))
            .filter(|value| object(value));
        QuantFiles {
            config,
            config_place: &self.config_place,
            hf_quant: self.quant.map(|quant| &quant["quantization"]),
            hf_quant_place: &self.quant_place,
        }
        .parse()
    }
}

/// Whole-number fields of a JSON object.
struct Fields<'a> {
    value: &'a Value,
    place: &'a str,
}

impl Fields<'_> {
    fn wrong(&self, field: &str, reason: impl Into<String>) -> AicError {
        AicError::ModelField {
            place: self.place.to_owned(),
            field: field.to_owned(),
            reason: reason.into(),
        }
    }

    /// The first of these names that is there and not null.
    fn optional(&self, names: &[&str]) -> Result<Option<u32>, AicError> {
        let Some((name, value)) = names
            .iter()
            .map(|name| (name, &self.value[*name]))
            .find(|(_, value)| !value.is_null())
        else {
            return Ok(None);
        };
        let most = if COUNTS.contains(name) {
            COUNT_MAX
        } else {
            WIDTH_MAX
        };
        let range = || format!("expected a whole number from 1 to {most}, not {value}");
        value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (1..=most).contains(number))
            .map(Some)
            .ok_or_else(|| self.wrong(name, range()))
    }

    fn required(&self, names: &[&str]) -> Result<u32, AicError> {
        self.optional(names)?
            .ok_or_else(|| self.wrong(names[0], "missing"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: &Value) -> Result<ModelSpec, AicError> {
        Files {
            config,
            config_place: "config.json".to_owned(),
            quant: None,
            quant_place: "hf_quant_config.json".to_owned(),
        }
        .parse("test")
    }

    fn llama() -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32, "hidden_size": 4096,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": null,
            "intermediate_size": 14336, "vocab_size": 128_256
        })
    }

    #[test]
    fn head_size_follows_from_width_and_heads() {
        let spec = parse(&llama()).unwrap();
        assert_eq!((spec.head_dim, spec.kv_heads, spec.experts), (128, 8, 0));
    }

    #[test]
    fn wrong_fields_are_named() {
        for (field, value, word) in [
            ("num_hidden_layers", json!(-3), "whole number"),
            ("num_attention_heads", json!(100_000), "from 1 to 16384"),
            ("vocab_size", Value::Null, "missing"),
            ("hidden_size", json!("big"), "whole number"),
            ("architectures", json!(["LlamaForCausaLM"]), "did you mean"),
            ("architectures", json!({}), "list of one name"),
        ] {
            let mut config = llama();
            config[field] = value;
            let message = parse(&config).unwrap_err().to_string();
            assert!(
                message.contains(field) && message.contains(word),
                "{message}"
            );
        }
    }

    #[test]
    fn multimodal_models_are_read_from_their_text_part() {
        let mut text = llama();
        text["n_routed_experts"] = json!(384);
        text["num_experts_per_tok"] = json!(8);
        text["moe_intermediate_size"] = json!(2048);
        let config =
            json!({"architectures": ["KimiK25ForConditionalGeneration"], "text_config": text});
        let spec = parse(&config).unwrap();
        assert_eq!((spec.experts, spec.moe_inter), (384, 2048));
        assert_eq!(spec.mla.unwrap().kv_lora_rank, 512);
    }
}
