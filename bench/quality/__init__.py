"""How good what was heard and said is: word errors, the sound of a reply, and what other programs made of it."""
