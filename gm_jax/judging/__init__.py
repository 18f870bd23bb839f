"""Metrics of trained models: each judges one kind of system, beside a floor or the truth."""
