"""The stub's side: what a service imports to answer conversations."""
