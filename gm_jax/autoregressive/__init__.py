"""Autoregressive models: one causal core, and a file a system."""
