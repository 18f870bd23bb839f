"""Every system's objectives and functions against float64 NumPy, from network outputs on."""
