"""What energy-based models share."""
