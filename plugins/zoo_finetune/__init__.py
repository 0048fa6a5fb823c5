"""A last layer of another width, trained on examples of one's own: ``zoo finetune``."""

zoo_api = 1
