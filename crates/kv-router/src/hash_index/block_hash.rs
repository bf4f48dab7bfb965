//! The hashes by which a gateway names blocks of tokens, and the names of
//! blocks and workers.
//!
//! Computes; stores nothing. XXH3-64 throughout, as the engines and the
//! reference router do, so that hashes of either side can be mixed.

use std::num::NonZeroUsize;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Seed of every hash of a base model, and the guide of all rolling hashes.
const SEED: u64 = 1337;

/// Hash of one block's own content: tokens, adapter and media, not its prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalHash(pub u64);

/// Name that an engine gives to a block *and its prefix*: opaque to the index,
/// valid only together with the worker that announced it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineHash(pub u64);

/// One data-parallel rank of one worker: what holds blocks and is routed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerKey {
    /// The worker.
    pub id: u64,
    /// The rank within the worker, from 0.
    pub rank: u32,
}

impl WorkerKey {
    /// Rank `rank` of worker `id`.
    pub const fn new(id: u64, rank: u32) -> Self {
        Self { id, rank }
    }
}

/// A block as an engine announces it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Where it belongs in the tree.
    pub local: LocalHash,
    /// How the engine will speak of it.
    pub engine: EngineHash,
}

/// Turns prompts into the local hashes of their blocks.
///
/// ```
/// use std::num::NonZeroUsize;
/// use kv_router::{BlockHasher, sequence_hashes};
///
/// let hasher = BlockHasher::new(NonZeroUsize::new(4).unwrap());
/// let local = hasher.local_hashes(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
/// assert_eq!(local.len(), 2, "a partial block has no hash");
/// assert_eq!(local[0].0, 0xcb38_e4d7_fb2d_ca5c);
/// assert_eq!(sequence_hashes(&local)[0].0, local[0].0);
/// assert_ne!(local, hasher.with_lora("adapter-a").local_hashes(&[1, 2, 3, 4, 5, 6, 7, 8]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BlockHasher {
    block_size: NonZeroUsize,
    seed: u64,
    overlap: usize,
}

impl BlockHasher {
    /// Hashes blocks of `block_size` tokens of the base model.
    pub const fn new(block_size: NonZeroUsize) -> Self {
        Self {
            block_size,
            seed: SEED,
            overlap: 0,
        }
    }

    /// The same for requests of a LoRA adapter; an empty name is the base model.
    #[must_use]
    pub fn with_lora(self, name: &str) -> Self {
        let seed = match name {
            "" => SEED,
            name => SEED.wrapping_add(xxh3_64(name.as_bytes())),
        };
        Self { seed, ..self }
    }

    /// The same for engines whose blocks look one token ahead (EAGLE drafts):
    /// windows of one token more than a block, one block apart.
    #[must_use]
    pub const fn with_eagle(self) -> Self {
        Self { overlap: 1, ..self }
    }

    /// Hashes of the full blocks of a prompt; a partial last block has none.
    pub fn local_hashes(&self, tokens: &[u32]) -> Vec<LocalHash> {
        self.local_hashes_with_media(tokens, &[])
    }

    /// Hashes of the full blocks of a prompt with images or sound: `media[i]`
    /// holds the hashes, in any order, of what block `i` shows a part of.
    /// Blocks beyond the end of `media` show nothing.
    pub fn local_hashes_with_media(&self, tokens: &[u32], media: &[&[u64]]) -> Vec<LocalHash> {
        let mut hashes = Vec::new();
        self.local_hashes_into(tokens, media, &mut hashes);
        hashes
    }

    /// As [`Self::local_hashes_with_media`], into a buffer that is emptied first.
    pub fn local_hashes_into(&self, tokens: &[u32], media: &[&[u64]], hashes: &mut Vec<LocalHash>) {
        hashes.clear();
        let block_size = self.block_size.get();
        let count = tokens.len().saturating_sub(self.overlap) / block_size;
        if count == 0 {
            return;
        }
        hashes.reserve(count);
        let width = block_size + self.overlap;
        let mut bytes = vec![0; width * size_of::<u32>()];
        let mut shown = Vec::new();
        for block in 0..count {
            let start = block * block_size;
            bytes.truncate(width * size_of::<u32>());
            let tokens = &tokens[start..start + width];
            for (place, token) in bytes.chunks_exact_mut(size_of::<u32>()).zip(tokens) {
                place.copy_from_slice(&token.to_le_bytes());
            }
            if let Some(media) = media.get(block) {
                shown.clear();
                shown.extend_from_slice(media);
                shown.sort_unstable();
                for hash in &shown {
                    bytes.extend_from_slice(&hash.to_le_bytes());
                }
            }
            hashes.push(LocalHash(xxh3_64_with_seed(&bytes, self.seed)));
        }
    }
}

/// Rolling hashes of a prompt's blocks: each names a block and all before it,
/// so that equal hashes mean equal prefixes. Engines without hashes of their
/// own use these as [`EngineHash`]es, and so does [`crate::ApproximateIndex`].
pub fn sequence_hashes(local: &[LocalHash]) -> Vec<EngineHash> {
    let mut rolling = None;
    local
        .iter()
        .map(|hash| {
            let next = match rolling {
                None => hash.0,
                Some(before) => next_sequence_hash(before, hash.0),
            };
            rolling = Some(next);
            EngineHash(next)
        })
        .collect()
}

/// The rolling hash of a block after a prefix. The seed stays the base model's:
/// an adapter is already in the local hashes.
fn next_sequence_hash(before: u64, local: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&before.to_le_bytes());
    bytes[8..].copy_from_slice(&local.to_le_bytes());
    xxh3_64_with_seed(&bytes, SEED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(block_size: usize) -> BlockHasher {
        BlockHasher::new(NonZeroUsize::new(block_size).unwrap())
    }

    #[test]
    fn media_count_per_block_and_in_any_order() {
        let tokens = [9; 8];
        let plain = hasher(4).local_hashes(&tokens);
        let shown = hasher(4).local_hashes_with_media(&tokens, &[&[], &[5, 3]]);
        assert_eq!(plain[0], shown[0]);
        assert_ne!(plain[1], shown[1]);
        let other_order = hasher(4).local_hashes_with_media(&tokens, &[&[], &[3, 5], &[7]]);
        assert_eq!(shown, other_order);
    }

    #[test]
    fn media_hashes_follow_the_tokens_as_little_endian_bytes() {
        let media = 0x0807_0605_0403_0201;
        let as_tokens = [1, 2, 0x0403_0201, 0x0807_0605];
        assert_eq!(
            hasher(2).local_hashes_with_media(&[1, 2], &[&[media]]),
            hasher(4).local_hashes(&as_tokens),
        );
    }

    #[test]
    fn an_eagle_window_needs_the_token_after_its_block() {
        let tokens: Vec<u32> = (0..8).collect();
        assert_eq!(hasher(4).with_eagle().local_hashes(&tokens).len(), 1);
        assert!(hasher(4).with_eagle().local_hashes(&[]).is_empty());
    }
}
