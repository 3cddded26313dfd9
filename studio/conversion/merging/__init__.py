"""From a base and an adapter to a GGUF file: merged into the base, or a LoRA of its own."""
