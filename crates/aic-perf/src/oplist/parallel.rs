//! Sizes of the groups of GPUs that share the work.

use crate::error::AicError;
use crate::model_spec::{Family, ModelSpec};
use crate::quant::WeightFormat;

/// Largest group size taken for one.
const GROUP_MAX: u32 = 4096;

/// How one engine is spread over GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallelism {
    /// Tensor-parallel size of attention and dense layers.
    pub tp: u32,
    /// Pipeline stages.
    pub pp: u32,
    /// Replicas of attention that share the experts.
    pub attention_dp: u32,
    /// Tensor-parallel size of experts.
    pub moe_tp: u32,
    /// Expert-parallel size.
    pub moe_ep: u32,
}

impl Parallelism {
    /// Sizes with the experts' filled in: of `moe_tp` x `moe_ep` = `tp` x `attention_dp`, a missing one follows from
    /// the other; both missing are 1.
    ///
    /// # Errors
    /// [`AicError::Parallelism`] on a size that is 0 or beyond 4096, or where no missing size would fit.
    pub fn new(
        tp: u32,
        pp: u32,
        attention_dp: u32,
        moe_tp: Option<u32>,
        moe_ep: Option<u32>,
    ) -> Result<Self, AicError> {
        let sizes = [
            ("tensor-parallel size", Some(tp)),
            ("pipeline-parallel size", Some(pp)),
            ("attention data-parallel size", Some(attention_dp)),
            ("MoE tensor-parallel size", moe_tp),
            ("MoE expert-parallel size", moe_ep),
        ];
        for (what, size) in sizes {
            if let Some(size) = size.filter(|size| !(1..=GROUP_MAX).contains(size)) {
                let reason = format!("{what} is {size}: expected 1 to {GROUP_MAX}");
                return Err(AicError::Parallelism(reason));
            }
        }
        let attention = tp * attention_dp;
        let other = |given: u32, what: &str| {
            if attention.is_multiple_of(given) {
                Ok(attention / given)
            } else {
                Err(AicError::Parallelism(format!(
                    "{what} is {given}: expected a divisor of tensor-parallel x attention data-parallel = {attention}"
                )))
            }
        };
        let (moe_tp, moe_ep) = match (moe_tp, moe_ep) {
            (Some(tp), Some(ep)) => (tp, ep),
            (Some(tp), None) => (tp, other(tp, "MoE tensor-parallel size")?),
            (None, Some(ep)) => (other(ep, "MoE expert-parallel size")?, ep),
            (None, None) => (1, 1),
        };
        Ok(Self {
            tp,
            pp,
            attention_dp,
            moe_tp,
            moe_ep,
        })
    }

    /// GPUs that hold experts together.
    pub(crate) fn moe_gpus(&self) -> u32 {
        self.moe_tp.saturating_mul(self.moe_ep)
    }

    /// Whether a model can be split like this.
    pub(crate) fn check(&self, model: &ModelSpec, moe: WeightFormat) -> Result<(), AicError> {
        let wrong = |reason: String| Err(AicError::Parallelism(reason));
        if !model.heads.is_multiple_of(self.tp) {
            return wrong(format!(
                "tensor-parallel size {} does not divide the {} attention heads of {}",
                self.tp, model.heads, model.id
            ));
        }
        if model.family == Family::Dense {
            return Ok(());
        }
        let attention = self.tp * self.attention_dp;
        if self.moe_gpus() != attention {
            return wrong(format!(
                "MoE tensor-parallel x expert-parallel is {} x {} = {}: expected tensor-parallel x attention \
                 data-parallel = {} x {} = {attention}",
                self.moe_tp,
                self.moe_ep,
                self.moe_gpus(),
                self.tp,
                self.attention_dp
            ));
        }
        if model.experts < self.moe_ep {
            return wrong(format!(
                "expert-parallel size {} exceeds the {} experts of {}",
                self.moe_ep, model.experts, model.id
            ));
        }
        let share = model.moe_inter / self.moe_tp;
        let block = model.quant.block_rows;
        if moe == WeightFormat::Fp8Block && !share.is_multiple_of(block) {
            return wrong(format!(
                "MoE tensor-parallel size {} leaves {share} of the {} rows of an expert of {}: expected a multiple \
                 of the weight block size {block}",
                self.moe_tp, model.moe_inter, model.id
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_expert_sizes_follow() {
        let sizes = |tp, dp, moe_tp, moe_ep| {
            let sizes = Parallelism::new(tp, 1, dp, moe_tp, moe_ep)?;
            Ok::<_, AicError>((sizes.moe_tp, sizes.moe_ep))
        };
        assert_eq!(sizes(4, 2, None, Some(4)), Ok((2, 4)));
        assert_eq!(sizes(4, 2, Some(8), None), Ok((8, 1)));
        assert_eq!(sizes(1, 1, None, None), Ok((1, 1)));
        assert!(sizes(4, 1, Some(3), None).is_err());
        assert!(sizes(0, 1, None, None).is_err());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let model = ModelSpec::find("Qwen/Qwen3-235B-A22B-FP8").unwrap();
        let check = |tp, moe_tp, moe_ep| {
            Parallelism::new(tp, 1, 1, Some(moe_tp), Some(moe_ep))
                .unwrap()
                .check(&model, WeightFormat::Fp8Block)
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(4, 4, 1), Ok(()));
        assert!(check(3, 3, 1).unwrap_err().contains("64 attention heads"));
        assert!(check(4, 2, 1).unwrap_err().contains("4 x 1 = 4"));
        assert!(check(8, 8, 1).unwrap_err().contains("block size 128"));
    }
}
