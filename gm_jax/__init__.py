"""Generative models as games of pure functions."""
