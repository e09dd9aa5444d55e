"""The library that every worker imports; see README.md for what is public."""
