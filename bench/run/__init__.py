"""Running: who asks what, when, and in which process."""
