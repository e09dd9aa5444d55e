"""The only code that speaks NATS: what nats-py and the server do wrong is met here, once."""
