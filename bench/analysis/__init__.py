"""What a run's figures amount to: conclusions as values, for every form that writes them."""
