//! Requests that could never run, found before they take a place.

use sim_api::Rejection;

/// The limits of an engine that a request may exceed by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Tokens in a KV block.
    pub(crate) block_tokens: u32,
    /// Blocks in the pool.
    pub(crate) blocks: u32,
    /// Token budget of a pass if a prompt must fit one.
    pub(crate) whole_prompt_budget: Option<u32>,
    /// Length at which generation stops.
    pub(crate) max_model_tokens: Option<u32>,
}

/// No request has more tokens than this, whatever the pool, so that token counts fit 32 bits.
const MOST_TOKENS: u32 = 1 << 31;

impl Limits {
    /// How many tokens a request of these lengths generates on this engine, or
    /// why it could not run even if it were alone.
    pub(crate) fn admit(self, input_tokens: u32, output_tokens: u32) -> Result<u32, Rejection> {
        if input_tokens == 0 {
            return Err(Rejection::EmptyPrompt);
        }
        if output_tokens == 0 {
            return Err(Rejection::NoOutput);
        }
        let output_tokens = match self.max_model_tokens {
            Some(limit) if input_tokens >= limit => {
                return Err(Rejection::PromptOverModelLength {
                    tokens: u64::from(input_tokens),
                    limit: u64::from(limit),
                });
            }
            Some(limit) => output_tokens.min(limit - input_tokens),
            None => output_tokens,
        };
        let tokens = u64::from(input_tokens) + u64::from(output_tokens);
        let needed = tokens.div_ceil(u64::from(self.block_tokens));
        let available = self.blocks.min(MOST_TOKENS / self.block_tokens.max(1));
        if needed > u64::from(available) {
            return Err(Rejection::PoolTooSmall {
                needed,
                available: u64::from(available),
            });
        }
        match self.whole_prompt_budget {
            Some(budget) if input_tokens > budget => Err(Rejection::PromptOverBudget {
                tokens: u64::from(input_tokens),
                budget: u64::from(budget),
            }),
            _ => Ok(output_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            block_tokens: 4,
            blocks: 5,
            whole_prompt_budget: None,
            max_model_tokens: None,
        }
    }

    #[test]
    fn prompt_and_output_must_fit_the_pool() {
        assert_eq!(limits().admit(8, 12), Ok(12));
        assert_eq!(
            limits().admit(8, 13),
            Err(Rejection::PoolTooSmall {
                needed: 6,
                available: 5
            })
        );
        assert!(limits().admit(u32::MAX, u32::MAX).is_err());
    }

    #[test]
    fn empty_requests_are_turned_away() {
        assert_eq!(limits().admit(0, 1), Err(Rejection::EmptyPrompt));
        assert_eq!(limits().admit(1, 0), Err(Rejection::NoOutput));
    }

    #[test]
    fn a_prompt_that_must_be_computed_at_once_must_fit_the_budget() {
        let limits = Limits {
            whole_prompt_budget: Some(8),
            ..limits()
        };
        assert_eq!(limits.admit(8, 1), Ok(1));
        assert!(matches!(
            limits.admit(9, 1),
            Err(Rejection::PromptOverBudget {
                tokens: 9,
                budget: 8
            })
        ));
    }

    #[test]
    fn a_model_length_rejects_prompts_and_cuts_outputs() {
        let limits = Limits {
            max_model_tokens: Some(10),
            ..limits()
        };
        assert_eq!(limits.admit(8, 7), Ok(2));
        assert_eq!(limits.admit(8, 1), Ok(1));
        assert!(matches!(
            limits.admit(10, 1),
            Err(Rejection::PromptOverModelLength { .. })
        ));
    }
}
