"""The guide's program, as a service."""
