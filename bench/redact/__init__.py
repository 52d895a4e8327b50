"""A copy of a run to show to others: without what was said, and with the same latency figures."""
