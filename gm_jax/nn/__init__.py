"""Flax modules that several systems share. They compute in `dtype` and return at least float32."""
