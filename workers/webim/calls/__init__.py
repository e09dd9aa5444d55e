"""Webim calls us: what a call means for its chat, and what it is answered."""
