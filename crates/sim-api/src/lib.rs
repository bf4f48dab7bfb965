//! The vocabulary of LLM serving and the seams between the parts of a simulation.
