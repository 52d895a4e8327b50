"""Two labels of one run, or one label of two runs: the difference, its interval, and what it does not say."""
