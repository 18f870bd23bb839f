"""Flax modules that several systems share. They compute in `dtype` and return float32 or wider."""
