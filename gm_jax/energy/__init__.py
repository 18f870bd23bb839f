"""Energy-based models: Boltzmann machines, restricted, deep and stacked."""
