"""What quantizing cost, measured on held-out play: perplexity, KL divergence, same top token."""
