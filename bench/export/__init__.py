"""A run in other forms; one small file per form."""
