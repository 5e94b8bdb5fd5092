"""Losses, data, fitting and fine-tuning."""
