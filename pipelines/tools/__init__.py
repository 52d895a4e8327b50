"""Commands that build and evaluate weights and corpora; not plugins of a run."""
