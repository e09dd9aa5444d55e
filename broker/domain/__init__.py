"""The pure core: no await, no clock, no environment, no randomness, no NATS."""
