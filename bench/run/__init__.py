"""Running: what is run next (schedule), what runs it (executors), and the manager that connects the two."""
