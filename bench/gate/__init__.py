"""Does it still answer as fast? Limits and comparisons in, verdicts out; it measures nothing itself."""
