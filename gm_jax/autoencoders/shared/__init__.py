"""What several autoencoders share."""
