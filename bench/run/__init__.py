"""Running: schedules decide what is run next, executors run it, and the manager connects the two."""
