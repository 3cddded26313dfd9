"""Scripted player lines with expectations, played again with every model."""
