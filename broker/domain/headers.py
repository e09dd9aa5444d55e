"""The message headers that the contract names."""

from __future__ import annotations

MESSAGE_ID = "Nats-Msg-Id"
CONTENT_TYPE = "Content-Type"
STUB = "Heimdall-Stub"
"""``<service>.<stubref>``: who speaks."""
CONVERSATION = "Heimdall-Conversation"
"""On a run: the prefix of the conversation that it is about, so that an answer needs no look-up."""
EVENT = "Heimdall-Event"
"""On a run: the log sequence of the event that caused it."""
EPOCH = "Heimdall-Epoch"
"""On a timer: the epoch of the link that it was armed for."""
TRACEPARENT = "traceparent"
