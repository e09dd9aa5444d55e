"""`heimdall demo`: one channel at work, without an account anywhere."""
