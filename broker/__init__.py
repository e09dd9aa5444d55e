"""The public surface for services: what a program imports to answer conversations."""
