"""Recognisers of the cascade: speech to text."""
