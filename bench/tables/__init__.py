"""Tables, built once and written three ways: for the terminal, as HTML and as Markdown."""
