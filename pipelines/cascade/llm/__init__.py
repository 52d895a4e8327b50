"""Language models of the cascade: text to text."""
