"""Pure: one turn's evidence in, its figures out."""
