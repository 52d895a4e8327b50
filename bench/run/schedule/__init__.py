"""Schedules, which decide what is run next and when: one class per kind, and classes to combine them."""
