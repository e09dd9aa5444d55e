"""What is looked at by the clock: reconciliation, presence, health."""
