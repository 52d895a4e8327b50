"""Pure functions from numbers to estimates with intervals; they know nothing of benchmarks."""
