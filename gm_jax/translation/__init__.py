"""Translation: from pictures to other pictures."""
