"""Looks whether a connection works, and says how to mend what does not."""
