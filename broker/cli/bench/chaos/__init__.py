"""Chaos: real processes are killed under traffic, and a checker reads what the log and every stream hold afterwards."""
