"""Proof that a GGUF file is the trained model: its tokens and logits against transformers."""
