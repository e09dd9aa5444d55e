"""Programs: makes versions of answering programs ready, and keeps them running."""
