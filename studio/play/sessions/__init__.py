"""Conversations as they are kept: on disk, in lists, begun in the middle of a scenario, and exported as one."""
