"""Networks that generate nothing: their features are what others compare."""
