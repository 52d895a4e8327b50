"""A run's turns → what they say of each label: figures with intervals, outcomes, the critical path, the cold start."""
