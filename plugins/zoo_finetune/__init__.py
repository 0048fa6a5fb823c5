"""Fine-tuning: another last layer for any model, trained on one's own examples."""
