//! The SGLang engine: token slots, a radix tree of pages, admission by
//! reserve, retraction.
//!
//! It goes pass by pass. The reference has states in which nothing ever
//! happens again; here each is resolved, and no other run is changed by it:
//!
//! * *Nobody runs and the reserve test admits nobody* (what the tree could give
//!   back is underestimated, or prompt plus output equal the pool): the first
//!   request in line is admitted without the test.
//! * *A prompt over `max_prefill_tokens`, or a chunk size that is no multiple of
//!   the page*: admitted in the same way, in chunks that fit both limits, at
//!   least a page.
//! * *Slots held by waiting requests that are partly computed*: the last in line
//!   gives its slots up.

mod admission;
mod decode;
mod pages;
mod queue;
mod radix_tree;
mod request;
mod scheduler;

pub(crate) use scheduler::Sglang;
