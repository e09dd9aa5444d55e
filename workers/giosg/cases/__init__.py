"""What is remembered of a conversation while the desk has it."""
