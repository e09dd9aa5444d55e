"""Timeout expiry: looks at the link when its timer fires, and tells the log."""
