"""From giosg to the visitor: webhooks, and what they mean."""
