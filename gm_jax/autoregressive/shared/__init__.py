"""What several autoregressive systems share."""
