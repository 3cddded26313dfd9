"""The OpenAI-compatible endpoint on loopback."""
