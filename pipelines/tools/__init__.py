"""Commands of the pipelines: no plugin of a run, but what makes and judges weights and corpora."""
