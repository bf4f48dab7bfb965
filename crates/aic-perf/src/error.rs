//! What can be wrong with a question about step times or memory.

use std::path::PathBuf;

use crate::table::TableError;

/// Why there is no answer. Messages name what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AicError {
    /// No such GPU.
    #[error("unknown GPU {given:?}{hint} (known: {known})")]
    UnknownSystem {
        /// The name given.
        given: String,
        /// The nearest name, in words, or nothing.
        hint: String,
        /// All names.
        known: String,
    },
    /// No such serving framework.
    #[error("unknown backend {given:?}{hint} (known: vllm, sglang, trtllm)")]
    UnknownBackend {
        /// The name given.
        given: String,
        /// The nearest name, in words, or nothing.
        hint: String,
    },
    /// No such release of the framework.
    #[error("{backend} {given:?} has no tables on {system}: use one of {known}")]
    UnknownVersion {
        /// The GPU.
        system: String,
        /// The framework.
        backend: String,
        /// The release given.
        given: String,
        /// What is accepted.
        known: String,
    },
    /// The model is neither built in nor a directory.
    #[error(
        "unknown model {given:?}{hint}; any other model works as a directory that holds its config.json \
         (and hf_quant_config.json, if it has one)"
    )]
    UnknownModel {
        /// The id or path given.
        given: String,
        /// The nearest id, in words, or nothing.
        hint: String,
    },
    /// A model's configuration file could not be read as JSON.
    #[error("{}: {reason}", path.display())]
    UnreadableModel {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A field of a model's configuration is missing or of no use.
    #[error("{place}: field {field:?}: {reason}")]
    ModelField {
        /// The file.
        place: String,
        /// The field.
        field: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A number format by a name that is none.
    #[error("unknown {what} {given:?}{hint} (known: {known})")]
    UnknownFormat {
        /// Which kind of format.
        what: &'static str,
        /// The name given.
        given: String,
        /// The nearest name, in words, or nothing.
        hint: String,
        /// All names.
        known: String,
    },
    /// Sizes of the parallel groups do not fit the model or each other.
    #[error("{0}")]
    Parallelism(String),
    /// The GPU has no arithmetic for a number format.
    #[error("{system} has no {format} arithmetic: choose another format or GPU")]
    MissingSystemFlops {
        /// The GPU.
        system: &'static str,
        /// The number format.
        format: &'static str,
    },
    /// Nothing was measured for an operation.
    #[error("{operation}: no measurement on {system} with {backend} for {what}")]
    MissingPerfData {
        /// The operation.
        operation: &'static str,
        /// The GPU.
        system: String,
        /// The framework.
        backend: String,
        /// The missing key.
        what: String,
    },
    /// A step that cannot be.
    #[error("impossible step: {0}")]
    InvalidStep(String),
    /// Weights and the rest leave no memory for the KV cache.
    #[error(
        "no memory left for the KV cache: {needed_bytes} bytes are needed besides it, {usable_bytes} of \
         {capacity_bytes} may be used; raise the tensor-parallel size or the memory fraction"
    )]
    NoKvBudget {
        /// Weights, activations and reserves.
        needed_bytes: u64,
        /// What the fraction leaves for them and the cache.
        usable_bytes: u64,
        /// The GPU's memory.
        capacity_bytes: u64,
    },
    /// A parameter of the memory estimate is of no use.
    #[error("{field}: {reason}")]
    MemoryField {
        /// The parameter.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Tables of another GPU or framework were handed in.
    #[error("tables of {found} do not serve {wanted}")]
    OtherTables {
        /// What they are of.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// Packed tables could not be had.
    #[error(transparent)]
    Tables(#[from] TableError),
}

impl AicError {
    /// Whether this means that something was not measured, which another way to compute the same may make good.
    pub(crate) fn is_missing_data(&self) -> bool {
        matches!(self, Self::MissingPerfData { .. })
    }
}
