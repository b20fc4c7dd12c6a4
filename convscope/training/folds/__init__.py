"""Cross-validation: one training for each fold, in one folder, with one summary."""
