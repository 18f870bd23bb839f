"""What the systems of texts and images share."""
