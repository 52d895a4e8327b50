"""Pure functions from a turn's evidence to its figures."""
