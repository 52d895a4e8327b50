"""Model code that more than one pipeline uses."""
