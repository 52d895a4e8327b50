"""Voices of the cascade: text to sound."""
