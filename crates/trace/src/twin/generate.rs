//! The agentic twin.
//!
//! Three classes of requests, as in published traces of tool and agent
//! traffic: conversations below one common first block, and two tools, each
//! with a long fixed prompt and a short argument. Requests come in bursts, one
//! every three seconds. Figures are of a public trace's statistics; no row of
//! it is used.

use rand_chacha::ChaCha8Rng;
use sim_core::named_stream;

use super::lengths::{Quantiles, ascending, shuffled, unit};
use crate::table::{NewRow, Trace, TraceBuilder, TraceFormat};

const BLOCK_TOKENS: u32 = 512;
const SPAN_MS: f64 = 3_536_999.0;
/// Bursts in that span, the first at 0 and the last at its end.
const BURSTS: usize = 1_180;

const CONVERSATION_REQUESTS: usize = 10_956;
const CONVERSATIONS: usize = 6_552;
/// A turn's prompt is that of the request so many ranks shorter, and more.
const TURN_RANKS: usize = 300;
/// Turns of the conversations that have more than one.
const TURNS: usize = 4;
/// Mean gap from a turn to the next.
const TURN_GAP_MS: f64 = 60_000.0;

/// A tool: `prefix_blocks` of fixed prompt, then an argument.
struct Tool {
    requests: usize,
    prefix_blocks: usize,
    input: Quantiles,
    output: Quantiles,
}

const TOOLS: [Tool; 2] = [
    Tool {
        requests: 9_203,
        prefix_blocks: 12,
        input: &[
            (0.0, 6_164.0),
            (0.1, 6_169.0),
            (0.25, 6_211.0),
            (0.38, 6_345.0),
            (0.5, 6_654.0),
            (0.75, 7_067.0),
            (0.9, 7_396.0),
            (0.96, 7_470.0),
            (0.99, 8_190.0),
            (1.0, 9_065.0),
        ],
        output: &[
            (0.0, 3.0),
            (0.6, 3.0),
            (0.617, 13.0),
            (0.75, 27.0),
            (0.9, 33.0),
            (0.99, 52.0),
            (1.0, 60.0),
        ],
    },
    Tool {
        requests: 3_449,
        prefix_blocks: 5,
        input: &[
            (0.0, 2_958.0),
            (0.1, 3_106.0),
            (0.25, 3_130.0),
            (0.5, 3_156.0),
            (0.75, 3_227.0),
            (0.85, 3_500.0),
            (0.9, 3_900.0),
            (1.0, 4_681.0),
        ],
        output: &[
            (0.0, 14.0),
            (0.1, 17.0),
            (0.25, 18.0),
            (0.5, 20.0),
            (0.75, 22.0),
            (0.9, 24.0),
            (1.0, 30.0),
        ],
    },
];

const CONVERSATION_INPUT: Quantiles = &[
    (0.0, 890.0),
    (0.08, 1_000.0),
    (0.3, 3_227.0),
    (0.345, 4_096.0),
    (0.445, 6_345.0),
    (0.496, 7_470.0),
    (0.533, 8_192.0),
    (0.66, 11_000.0),
    (0.78, 16_384.0),
    (0.894, 26_081.0),
    (0.935, 32_768.0),
    (0.96, 38_000.0),
    (0.981, 61_623.0),
    (0.982_7, 65_536.0),
    (0.993, 80_000.0),
    (1.0, 125_546.0),
];

const CONVERSATION_OUTPUT: Quantiles = &[
    (0.0, 1.0),
    (0.1, 60.0),
    (0.25, 200.0),
    (0.46, 356.0),
    (0.75, 500.0),
    (0.9, 630.0),
    (0.99, 900.0),
    (1.0, 2_000.0),
];

/// A generated trace: an hour of tool and agent traffic, 23,608 requests.
///
/// ```
/// let twin = trace::AgenticTwin::new(1).trace();
/// assert_eq!(twin.len(), 23_608);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgenticTwin {
    seed: u64,
}

/// A request before it has hash ids.
#[derive(Clone, Copy, Debug)]
struct Draft {
    at_ms: f64,
    input_tokens: u32,
    output_tokens: u32,
    prompt: PromptKind,
}

#[derive(Clone, Copy, Debug)]
enum PromptKind {
    Tool(usize),
    Conversation(usize),
}

impl AgenticTwin {
    /// The twin that `seed` gives; all seeds have the same statistics.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Generates the trace. Hash ids stand for 512 tokens.
    pub fn trace(&self) -> Trace {
        let mut drafts = Vec::new();
        for (number, tool) in TOOLS.iter().enumerate() {
            self.draft_tool(number, tool, &mut drafts);
        }
        self.draft_conversations(&mut drafts);
        drafts.sort_by(|one, two| one.at_ms.total_cmp(&two.at_ms));
        let mut ids = Ids::new();
        let name = "(generated agentic workload)".to_owned();
        let mut builder = TraceBuilder::new(name, TraceFormat::Mooncake, BLOCK_TOKENS);
        let last = drafts.len() - 1;
        for (index, draft) in drafts.iter().enumerate() {
            let burst = match index {
                0 => 0,
                _ if index == last => BURSTS - 1,
                _ => ((draft.at_ms / SPAN_MS * BURSTS as f64) as usize).min(BURSTS - 1),
            };
            let row = NewRow {
                line: index as u64 + 1,
                session: None,
                timestamp_ms: Some((burst as f64 * SPAN_MS / (BURSTS - 1) as f64).round()),
                delay_ms: None,
                input_tokens: Some(draft.input_tokens),
                output_tokens: draft.output_tokens,
                ids: ids.of(draft),
                priority: 0,
            };
            builder.push(&row).expect("generated rows are in range");
        }
        builder.finish().expect("there are rows")
    }

    fn stream(&self, purpose: &str, id: usize) -> ChaCha8Rng {
        named_stream(self.seed, purpose, id as u64)
    }

    fn draft_tool(&self, number: usize, tool: &Tool, drafts: &mut Vec<Draft>) {
        let mut stream = self.stream("twin tool", number);
        let inputs = shuffled(tool.input, tool.requests, &mut stream);
        let outputs = shuffled(tool.output, tool.requests, &mut stream);
        for (input_tokens, output_tokens) in inputs.into_iter().zip(outputs) {
            drafts.push(Draft {
                at_ms: unit(&mut stream) * SPAN_MS,
                input_tokens,
                output_tokens,
                prompt: PromptKind::Tool(number),
            });
        }
    }

    /// Conversations are chains through the ascending prompt lengths.
    fn draft_conversations(&self, drafts: &mut Vec<Draft>) {
        let mut stream = self.stream("twin conversations", 0);
        let inputs = ascending(CONVERSATION_INPUT, CONVERSATION_REQUESTS);
        let outputs = shuffled(CONVERSATION_OUTPUT, CONVERSATION_REQUESTS, &mut stream);
        let continuing = continuing_ranks(&inputs);
        let mut conversations = 0;
        let first = drafts.len();
        for (rank, (&input_tokens, output_tokens)) in inputs.iter().zip(outputs).enumerate() {
            let continues = continuing[rank].then(|| rank - TURN_RANKS);
            let (at_ms, prompt) = match continues {
                Some(before) => {
                    let before = drafts[first + before];
                    let gap = -TURN_GAP_MS * (1.0 - unit(&mut stream)).ln();
                    ((before.at_ms + gap).min(SPAN_MS), before.prompt)
                }
                None => {
                    conversations += 1;
                    let at_ms = unit(&mut stream) * SPAN_MS;
                    (at_ms, PromptKind::Conversation(conversations - 1))
                }
            };
            drafts.push(Draft {
                at_ms,
                input_tokens,
                output_tokens,
                prompt,
            });
        }
    }
}

/// Which requests continue the one [`TURN_RANKS`] before them: as many as there
/// are more requests than conversations, in runs of [`TURNS`].
fn continuing_ranks(inputs: &[u32]) -> Vec<bool> {
    let mut continuing = vec![false; CONVERSATION_REQUESTS];
    let mut left = CONVERSATION_REQUESTS - CONVERSATIONS;
    for lane in 0..TURN_RANKS {
        for (turn, rank) in (lane..CONVERSATION_REQUESTS)
            .step_by(TURN_RANKS)
            .enumerate()
        {
            // A prompt within two blocks would not keep its second one.
            let grows = |before: usize| inputs[before] >= 2 * BLOCK_TOKENS;
            if left > 0 && turn % TURNS > 0 && grows(rank - TURN_RANKS) {
                continuing[rank] = true;
                left -= 1;
            }
        }
    }
    continuing
}

/// Gives out hash ids, numbered by first appearance.
struct Ids {
    next: u64,
    tools: [Vec<u64>; TOOLS.len()],
    /// Whole blocks of each conversation's last prompt.
    conversations: Vec<Vec<u64>>,
    system: Option<u64>,
    row: Vec<u64>,
}

impl Ids {
    fn new() -> Self {
        Self {
            next: 0,
            tools: Default::default(),
            conversations: vec![Vec::new(); CONVERSATIONS],
            system: None,
            row: Vec::new(),
        }
    }

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn of(&mut self, draft: &Draft) -> &[u64] {
        self.row.clear();
        match draft.prompt {
            PromptKind::Tool(tool) => {
                if self.tools[tool].is_empty() {
                    let blocks = TOOLS[tool].prefix_blocks;
                    self.tools[tool] = (0..blocks).map(|_| self.fresh()).collect();
                }
                self.row.extend_from_slice(&self.tools[tool]);
            }
            PromptKind::Conversation(number) => {
                let system = match self.system {
                    Some(system) => system,
                    None => self.fresh(),
                };
                self.system = Some(system);
                self.row.push(system);
                self.row.extend_from_slice(&self.conversations[number]);
            }
        }
        let blocks = draft.input_tokens.div_ceil(BLOCK_TOKENS) as usize;
        while self.row.len() < blocks {
            let id = self.fresh();
            self.row.push(id);
        }
        if let PromptKind::Conversation(number) = draft.prompt {
            let whole = (draft.input_tokens / BLOCK_TOKENS) as usize;
            self.conversations[number].clear();
            self.conversations[number].extend_from_slice(&self.row[1..whole]);
        }
        &self.row
    }
}
