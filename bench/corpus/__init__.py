"""Corpora: manifests and recordings, checked and decoded before a run."""
