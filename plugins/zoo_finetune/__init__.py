"""Any net with a new last layer, trained on your examples."""

zoo_api = 1
