"""The prose of subjects.md."""

from __future__ import annotations

import shlex

from broker.codec import to_json
from broker.contract.row import ORG, SAMPLE, SESSION, STUB
from broker.domain.subjects import Kind
from broker.domain.wire import Body

INTRODUCTION = (
    "# Subjects",
    "",
    "<!-- Generated from broker/ by `python -m broker.contract`: edit there, never here. -->",
    "",
    "Everything in Heimdall is a subject on NATS. A visitor's message is published on one, the stub that answers reads",
    "another and publishes its answer on a third. This page lists them all, each with a line to try in a shell. It is",
    "generated from the code that the workers run, so it is never out of date.",
    "",
    "**One conversation, one prefix, one ordered log.** Whatever happens in a conversation is published below",
    "",
    "```text",
    "stubber.systems.notifications.<channel>.org.<org>.name.<chat>.sessionuuid.<session>.<what>",
    "```",
    "",
    "and one stream keeps it, in order. Tapping a prefix shows whole conversations, both directions.",
)

_CONTENT = {"sessionuuid": SESSION}
_HELLO = {**_CONTENT, "webchat_message": {"type": "text", "value": "hello"}}
_MORE = {**_CONTENT, "webchat_message": {"type": "text", "value": "are you there?"}}
_ANSWER = {
    **_CONTENT,
    "webchat_message": {"type": "text", "value": "Hello!"},
    "stubsession": {"set_new_with_timeout_hours": 24},
}


def _publish(kind: Kind, body: Body) -> tuple[str, str]:
    return f"heimdall publish {SAMPLE.subject(kind)} \\", f"  {shlex.quote(to_json(body))}"


TOUR = (
    "",
    "## In five minutes",
    "",
    "With `make dev` running, in a second terminal:",
    "",
    "```sh",
    f"heimdall tap '{SAMPLE.path.prefix}.*'",
    "```",
    "",
    "and in a third, a whole conversation by hand. A visitor opens a session and writes:",
    "",
    "```sh",
    *_publish(Kind.INITIALIZE, {"heimdall": {"webchat": _CONTENT}}),
    *_publish(Kind.FIRSTMESSAGE, {"heimdall": {"webchat": _HELLO}}),
    "```",
    "",
    "The demo program has answered already. Now you are a stub, and take the conversation from it for 24 hours;",
    "`stubsession.linked` shows in the tap:",
    "",
    "```sh",
    *_publish(Kind.NOTIFICATION, {"stub": str(STUB), "platforms": {"webchat": _ANSWER}}),
    "```",
    "",
    f"From now on what the visitor writes is a run for `{STUB}`. Write as the visitor, then read the stub's runs:",
    "",
    "```sh",
    *_publish(Kind.MESSAGE, {"heimdall": {"webchat": _MORE}}),
    f"heimdall tap 'stubber.systems.stubs.org.{ORG}.service.{STUB.service}.*'",
    "```",
    "",
    "Nothing here is special to our tools: any NATS client publishes and subscribes the same subjects, such as",
    f"`nats sub '{SAMPLE.path.prefix}.>'`.",
    "The session uuid in the examples is a sample; a real one is in the tap as soon as somebody opens the chat window.",
)

BODIES = (
    "",
    "## Bodies and headers",
    "",
    "A body is a map: msgpack from the workers, msgpack or JSON from you. A msgpack map never begins with `{`, so the",
    "first byte tells which it is. Members that we do not know are carried along and never refused. A body that cannot",
    "be read, or lacks what its subject promises, becomes a dead letter with the reason; the conversation goes on.",
)

WILDCARDS = (
    "",
    "## Wildcards",
    "",
    "There are two spellings, each the reverse of the other. Registrations are written in Heimdall's; `heimdall tap`",
    "takes either and says which it took; everything that speaks NATS itself takes NATS's.",
    "",
    "| means | Heimdall | NATS |",
    "|---|---|---|",
    "| exactly one level | `#` | `*` |",
    "| one level or more, only at the end | `*` | `>` |",
    "",
    "```sh",
    "# all of one chat, and the same as NATS spells it",
    f"heimdall tap '{SAMPLE.path.prefix}.*'",
    f"heimdall tap '{SAMPLE.path.prefix}.>'",
    "# every new link of an org, whatever the channel and the chat",
    f"heimdall tap 'stubber.systems.notifications.#.org.{ORG}.name.#.sessionuuid.#.stubsession.linked'",
    "```",
    "",
    "Nobody publishes on a subject with a wildcard.",
)

VERSIONS = (
    "",
    "## Versions of the wire",
    "",
    "A change that an older worker could not read is a new version here, with what to do about it.",
    "",
    "| version | since | what changed |",
    "|---|---|---|",
    "| v1 | 0.1.0 | first version |",
)
