"""The instrumentor: clock, trace and GPU time. What a pipeline and a worker need is imported from the modules."""
