"""One chat: what is remembered of it, what is said in its conversation, and how it ends."""
