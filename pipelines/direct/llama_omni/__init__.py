"""LLaMA-Omni (arXiv 2409.06666): one file per part of the model. Importing this package alone loads nothing heavy."""
