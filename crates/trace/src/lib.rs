//! Request traces: Mooncake and other formats, streaming readers, synthesis and statistics.
