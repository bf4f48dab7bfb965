//! Step times from a user's own measurements: a CSV file with one step a line.
//!
//! ```csv
//! phase,batch,context,prefix,ms
//! # prefill: prompt length in tokens (the prefix included), tokens already in KV
//! prefill,1,512,0,21.5
//! prefill,1,4096,0,160
//! prefill,4,512,0,80
//! prefill,4,4096,0,640
//! # decode: mean context in tokens; no prefix
//! decode,1,1024,,7.1
//! decode,1,8192,,7.9
//! decode,64,1024,,11.0
//! decode,64,8192,,19.5
//! ```
//!
//! The first line names the columns, in any order; `isl` may stand for `context`, and `prefix` may be left out. Lines
//! that are empty or start with `#` do not count.

mod error;
mod model;
mod parse;

pub use error::GridCsvError;
pub use model::GridCsvModel;
