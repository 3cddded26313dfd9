"""The best file within limits of size and memory."""
