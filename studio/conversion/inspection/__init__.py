"""Look into a GGUF file that nobody vouches for: structure, vocabulary, template, and a first reply."""
