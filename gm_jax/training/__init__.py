"""The trainer: variables, moves, devices, checkpoints, reports. Knows `gm_jax.model` alone."""
