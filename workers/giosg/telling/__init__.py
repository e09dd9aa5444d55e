"""What the desk says on the bus."""
