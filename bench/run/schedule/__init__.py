"""Which turn is run next, and when: one small class for each kind of schedule, and ways to put them together."""
