"""`bench weights`: packs trained weights and exports them in published layouts."""
