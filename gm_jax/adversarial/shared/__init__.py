"""What several adversarial systems share; no system's file imports another's."""
