"""What several adversarial systems share: no system imports another."""
