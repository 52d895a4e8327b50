"""What tests share: makers of runs, corpora, checkpoints and servers. Imported as `support`."""
