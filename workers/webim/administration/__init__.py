"""Channels as administrators know them: the form, the store, by HTTP and by commands on the bus."""
