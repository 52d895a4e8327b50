"""Conclusions from a run's figures, as values for every output format."""
