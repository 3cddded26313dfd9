"""Importance matrices: which weights matter most for the user's own scenarios."""
