"""Operators' dialogs: fetched from Webim, and told in the conversations they belong to."""
