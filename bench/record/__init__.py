"""A run on disk: its versioned schema and its append-only store."""
