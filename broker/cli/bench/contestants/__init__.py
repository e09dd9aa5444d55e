"""Who competes with the linker: honest peers, each one process. They speak NATS by themselves: that is the point."""
