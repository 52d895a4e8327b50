"""The regression gate: limits and comparisons in, verdicts out."""
