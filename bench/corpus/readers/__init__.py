"""Corpora in other tools' forms: each module reads one form into rows, for `--corpus` and for `bench corpus import`."""
