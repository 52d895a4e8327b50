"""A run's turns → a summary per system: figures with intervals, outcomes, the critical path, the cold start."""
