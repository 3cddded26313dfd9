"""A run that goes on from an earlier adapter: what that knows, what is replayed, and whether it became better."""
