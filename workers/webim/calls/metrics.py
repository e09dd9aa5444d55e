"""What this worker counts of Webim's calls, for Prometheus; every label is one of a few words."""

from __future__ import annotations

from prometheus_client import Counter

CALLS = Counter("heimdall_webim_calls", "Calls of Webim's, by what became of them or the code of refusal", ["outcome"])
IGNORED = Counter("heimdall_webim_ignored", "What Webim tells and does not concern a bot, by kind", ["kind"])
HANDLER_WITHOUT_CHAT = Counter("heimdall_webim_handler_without_chat", "Chat event handler calls that name no chat")
V1_ANSWERS = Counter("heimdall_webim_v1_answers", "Answers given in the call itself, by outcome", ["outcome"])
