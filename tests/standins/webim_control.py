"""Drives the stand-in Webim from a test: its process, and a typed client of its control interface.

Source: specs/webim.md section 9.3. The fixtures are in tests/standins/webim_fixtures.py.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2

ROOT = Path(__file__).parents[2]
STOP_WAIT_S = 10.0
CONTROL_WAIT_S = 120.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""All of it is on loopback; reading the usual certificates takes longer than a test."""

Record = dict[str, Any]
ChatId = int | str
Second = Literal["next", "together", "late"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to hand an event to the bot; ``status`` None: no answer, and ``error`` says why."""

    n: int
    at_ms: int
    chat_id: ChatId
    event: str
    url: str
    attempt: int
    headers: dict[str, str]
    body: Record
    status: int | None
    answer: str | None
    error: str | None
    ms: float | None

    @property
    def json(self) -> Any:
        """What was answered, parsed."""
        return json.loads(self.answer or "null")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the bot made to us; ``taken`` says whether it had its effect, ``status`` None: never answered."""

    n: int
    at_ms: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    taken: bool
    fault: Record | None
    status: int | None
    answer: str | None
    ms: int | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A new chat and what the bot answered, one delivery for each attempt."""

    chat_id: ChatId
    deliveries: tuple[Delivery, ...]
    handler: tuple[Delivery, ...] = ()

    @property
    def delivery(self) -> Delivery:
        """The last attempt."""
        return self.deliveries[-1]


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was added, and its deliveries, none if the bot was not told."""

    message: Record
    deliveries: tuple[Delivery, ...]

    @property
    def delivery(self) -> Delivery:
        """The last attempt."""
        return self.deliveries[-1]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A chat as it stands; ``owner``: bot, queue, closed or operator:<id>."""

    id: ChatId
    owner: str
    department: str | None
    category: str | None
    sub_category: str | None
    visitor: Record | None
    location: Any
    messages: tuple[Record, ...]

    def texts(self, author: str | None = None) -> list[str]:
        """The texts of one author, or of all, in order; a keyboard counts as its buttons' texts, a file as its url."""
        return [_words(one) for one in self.messages if author is None or one["author"] == author]


@dataclass(frozen=True, slots=True)
class Answered:
    """What the bot answered to raw bytes."""

    status: int
    headers: dict[str, str]
    body: str
    body_base64: str
    ms: float

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


class Webim:
    """One running stand-in; ``url`` is what an adapter's base_url_template has to be."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def reset(self) -> None:
        """As after its start."""
        await self._post("/reset")

    async def configure(self, **changes: Any) -> Record:
        """Change some fields of tests/standins/webim/configuration.py; the whole configuration."""
        return await self._post("/config", **changes)

    async def open_chat(self, **order: Any) -> Opened:
        """A visitor comes: ``visitor``, ``fields``, ``location``, ``messages``, ``extra``, ``wait``."""
        found = await self._post("/chats", **order)
        return Opened(found["chat_id"], _deliveries(found["deliveries"]), _deliveries(found["handler"]))

    async def visitor(self, chat_id: ChatId, text: str | None = None, **order: Any) -> Said:
        """The visitor writes ``text``, presses ``button``, or sends ``file``; ``deliver``, ``wait``, ``extra``."""
        words = order if text is None else {"text": text, **order}
        found = await self._post(f"/chats/{chat_id}/visitor", **words)
        return Said(found["message"], _deliveries(found["deliveries"]))

    async def operator(self, chat_id: ChatId, text: str = "", **order: Any) -> Record:
        """An operator writes, and has the chat from then on; the message."""
        found: Record = (await self._post(f"/chats/{chat_id}/operator", text=text, **order))["message"]
        return found

    async def close(self, chat_id: ChatId, by: str = "operator") -> tuple[Delivery, ...]:
        """Somebody closes the chat; the call of the handler, if there is one."""
        return _deliveries((await self._post(f"/chats/{chat_id}/close", by=by))["handler"])

    async def return_to_bot(self, chat_id: ChatId) -> Opened:
        """The operator gives the chat back."""
        found = await self._post(f"/chats/{chat_id}/return-to-bot")
        return Opened(found["chat_id"], _deliveries(found["deliveries"]))

    async def to_queue(self, chat_id: ChatId) -> None:
        """Webim takes the chat from the bot."""
        await self._post(f"/chats/{chat_id}/queue")

    async def chat(self, chat_id: ChatId) -> Transcript:
        """The chat as it stands."""
        return _transcript(await self._get(f"/chats/{chat_id}"))

    async def chats(self) -> list[Transcript]:
        """All chats, oldest first."""
        return [_transcript(one) for one in (await self._get("/chats"))["chats"]]

    async def calls(self, path: str = "", *, since: int = 0) -> list[Call]:
        """The calls received, whose path holds ``path``."""
        found = (await self._get(f"/calls?since={since}"))["calls"]
        return [Call(**one) for one in found if path in one["path"]]

    async def deliveries(self, *, since: int = 0) -> list[Delivery]:
        """Every attempt so far."""
        return list(_deliveries((await self._get(f"/deliveries?since={since}"))["deliveries"]))

    async def violations(self) -> list[Record]:
        """What the bot did against the rules: path and problem."""
        found: list[Record] = (await self._get("/violations"))["violations"]
        return found

    async def fault(self, **fault: Any) -> None:
        """Another fault in the queue: fields of Fault in tests/standins/webim/faults.py."""
        await self._post("/faults", **fault)

    async def clear_faults(self) -> None:
        """No faults any more."""
        (await self._client.delete("/_sim/faults")).raise_for_status()

    async def mode(self, mode: str, *, second: Second = "next") -> tuple[Delivery, ...]:
        """``normal``, ``duplicate``, ``reorder`` or ``burst:<n>``; the deliveries of what had been held back.

        ``second`` of a duplicate: right after the first, at the same time, or behind what waits meanwhile.
        """
        return _deliveries((await self._post("/deliver-mode", mode=mode, second=second))["deliveries"])

    async def raw(
        self, content: bytes, *, method: str = "POST", path_suffix: str = "", headers: dict[str, str] | None = None
    ) -> Answered:
        """Any bytes to the endpoint; ``headers`` None: those that Webim sends for JSON."""
        sent = {"Content-Type": "application/json"} if headers is None else headers
        body = base64.b64encode(content).decode()
        order = {"method": method, "path_suffix": path_suffix, "headers": sent, "body_base64": body}
        return Answered(**await self._post("/raw", **order))

    async def _post(self, path: str, /, **body: Any) -> Record:
        return _checked(await self._client.post(f"/_sim{path}", json=body))

    async def _get(self, path: str) -> Record:
        return _checked(await self._client.get(f"/_sim{path}"))


@contextlib.contextmanager
def webim_process(port: int = 0) -> Iterator[str]:
    """A stand-in as a process of its own; its address. It ends with the block, and in an orderly way."""
    arguments = [sys.executable, "-m", "tests.standins.webim", "--with-stdin", "--port", str(port)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
            process.terminate()
            assert process.wait(STOP_WAIT_S) == 0
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def webim_at(url: str) -> AsyncIterator[Webim]:
    """A client of the stand-in at that address."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=CONTROL_WAIT_S, verify=NO_TLS) as client:
        yield Webim(url, client)


def _checked(answer: httpx2.Response) -> Record:
    assert answer.is_success, f"the stand-in refused {answer.request.url.path}: {answer.text}"
    found: Record = answer.json()
    return found


def _deliveries(records: list[Record]) -> tuple[Delivery, ...]:
    return tuple(Delivery(**record) for record in records)


def _transcript(record: Record) -> Transcript:
    return Transcript(**{**record, "messages": tuple(record["messages"])})


def _words(message: Record) -> str:
    if "text" in message:
        return str(message["text"])
    data = message.get("data", {})
    if "buttons" in data:
        return " | ".join(button["text"] for row in data["buttons"] for button in row)
    return str(data["button"]["text"] if "button" in data else data.get("url"))
