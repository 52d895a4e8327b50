"""Pure: numbers in, estimates with intervals out; knows nothing of benchmarks."""
