"""What several translation systems share: no system imports another."""
