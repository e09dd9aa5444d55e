"""Channels as their administrator knows them, over real HTTP and real buckets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from broker.codec import decode, encode
from broker.domain.deployments import deployment_key, follow_key
from broker.domain.ids import OrgId
from broker.domain.subjects import ChannelCommandSubject, ChannelVerb
from broker.errors import CommandRefusedError
from broker.runtime.backbone import open_backbone
from broker.runtime.embedded import EmbeddedServer, nats_server
from broker.transport.commands import channel_verbs, request_command, serve_commands
from broker.transport.connection import Connection
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from broker.transport.topology import CHANNELS, PROGRAMS
from tests.conftest import TIME_FACTOR, poll
from tests.processes import free_port, wait_ready
from tests.standins.webim_control import NO_TLS
from workers.webim.administration import mending as channel_mending
from workers.webim.administration.access import AdminTokens
from workers.webim.administration.admin import ChannelAdmin
from workers.webim.administration.api import FORM_BYTES_MAX, channel_routes
from workers.webim.administration.commands import ChannelCommands
from workers.webim.administration.mending import mending
from workers.webim.administration.store import ChannelStore, added, replaced
from workers.webim.administration.wishes import ChannelWishes
from workers.webim.channel import CHANNELS_PER_ORG_MAX, WEBIM, Channel, OrgChannels
from workers.webim.channels import Channels
from workers.webim.settings import WebimSettings

OTHER_ORG = "0f6c2f58-8f43-5a0e-9b7e-000000000001"
TOKEN, OTHER_TOKEN = "administrators-token-1", "administrators-token-2"
FORM: dict[str, Any] = {"domain": "examplecom"}
LOGIN = {"email": "admin@example.com", "password": "planted-password"}
SECRETS = {
    **LOGIN,
    "bot_api_token": "planted-bot-token",
    "inbound_basic_user": "webim",
    "inbound_basic_password": "planted-basic-password",
}
PUBLIC_URL = "https://heimdall.example.org/"


class Api:
    """The administrators' API of one org, and the buckets behind it."""

    def __init__(self, http: httpx2.AsyncClient, org: str, channels: Records, programs: Records) -> None:
        self.http = http
        self.org = org
        self.channels = channels
        self.programs = programs
        self.store = ChannelStore(channels)
        self.wishes = ChannelWishes(self.store, programs)
        self.admin = ChannelAdmin(self.store, self.wishes, public_url=PUBLIC_URL)

    async def ask(self, method: str, path: str = "", body: object = None, token: str = TOKEN) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.request(method, f"/api/channels{path}", json=body, headers=headers)

    async def create(self, **form: object) -> dict[str, Any]:
        answer = await self.ask("POST", body={**FORM, **form})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def refused(self, **form: object) -> dict[str, list[str]]:
        answer = await self.ask("POST", body={**FORM, **form})
        assert (answer.status_code, answer.json()["error"]) == (422, "validation")
        return dict(answer.json()["fields"])

    async def show(self, channel_id: str) -> dict[str, Any]:
        return dict((await self.ask("GET", f"/{channel_id}")).json())

    async def end(self, channel: dict[str, Any], **facts: object) -> None:
        """What the worker `programs` makes of the deployment that was asked for."""
        found = (await self.show(channel["id"]))["deployment_id"]
        key = deployment_key(self.org, channel["id"], found)
        record = await self.programs.read(key)
        assert record.value is not None
        await self.programs.write(key, encode({**decode(record.value), **facts}), revision=record.revision)

    async def follow(self, channel_id: str) -> dict[str, Any] | None:
        found = (await self.programs.read(follow_key(self.org, channel_id))).value
        return None if found is None else decode(found)


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the tests' own run is not its business."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def] # noqa: ANN201 - uvicorn's own has no types either
        yield


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The application on a free port; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, loop="none"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await poll(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest_asyncio.fixture
async def api(connection: Connection, publisher: Publisher, org: str) -> AsyncIterator[Api]:
    channels, programs = Records(connection, publisher, CHANNELS), Records(connection, publisher, PROGRAMS)
    app = FastAPI()
    async with httpx2.AsyncClient(verify=NO_TLS) as http:
        api = Api(http, org, channels, programs)
        app.include_router(channel_routes(api.admin, AdminTokens.parse(f"{org}={TOKEN},{OTHER_ORG}={OTHER_TOKEN}")))
        async with served(app) as url:
            http.base_url = httpx2.URL(url)
            yield api


async def test_check_1_a_channel_without_a_name_gets_the_default_one(api: Api) -> None:
    names = [(await api.create())["name"] for _ in range(3)]
    default = "Webim (Custom Channel API)"
    assert names == [default, f"{default} 2", f"{default} 3"]


async def test_check_2_a_token_and_the_endpoint_with_it_are_generated(api: Api) -> None:
    created = await api.create(access_token="")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", created["access_token"])
    assert created["endpoint_url"] == f"https://heimdall.example.org/chatapi/webim/{created['access_token']}"
    assert re.fullmatch(r"ch[a-z0-9]{12}", created["id"])


async def test_check_3_a_token_of_ones_own_is_refused(api: Api) -> None:
    assert await api.refused(access_token="abc") == {"access_token": ["must_be_empty"]}  # noqa: S106 - no secret


async def test_check_4_an_address_in_place_of_the_label_is_refused_with_the_label(api: Api) -> None:
    answer = await api.ask("POST", body={"domain": "https://examplecom.webim.ru"})
    assert answer.status_code == 422
    assert answer.json()["fields"] == {"domain": ["not_a_label"]}
    assert "examplecom`" in answer.json()["hints"]["domain"][0]


async def test_check_5_the_branch_is_master_unless_given(api: Api) -> None:
    assert (await api.create())["branch"] == "master"
    assert (await api.create(branch="feature/x"))["branch"] == "feature/x"


async def test_check_7_what_is_no_reference_is_refused_and_what_may_be_one_is_taken(api: Api) -> None:
    assert await api.refused(branch="a..b") == {"branch": ["invalid_ref"]}
    created = await api.create(branch="not-there")
    assert created["status"] == "deploying"
    await api.end(created, status="failed", error="unknown_ref")
    shown = await api.show(created["id"])
    assert (shown["status"], shown["last_deployment"]) == ("failed", "failed")


async def test_check_8_mail_and_password_go_together(api: Api) -> None:
    assert await api.refused(email="admin@example.com") == {"password": ["required_with_email"]}
    assert await api.refused(password="secret") == {"email": ["required_with_password"]}  # noqa: S106 - no secret
    assert (await api.create())["log_collection"] == "until_transfer"
    assert (await api.create(**LOGIN))["log_collection"] == "full"


async def test_check_9_a_channel_that_is_read_shows_no_password(api: Api) -> None:
    created = await api.create(**SECRETS)
    answer = await api.ask("GET", f"/{created['id']}")
    assert "planted" not in answer.text
    shown = answer.json()
    assert (shown["password_set"], shown["bot_api_token_set"], shown["inbound_basic_password_set"]) == (True,) * 3
    assert shown == created


async def test_check_10_a_manual_channel_is_deployed_once_and_then_only_when_asked(api: Api) -> None:
    created = await api.create(deployment="manual")
    assert await api.follow(created["id"]) is None
    await api.end(created, status="succeeded", commit="c1")
    changed = await api.ask("PATCH", f"/{created['id']}", {"branch": "dev"})
    assert (changed.json()["deployment_id"], changed.json()["active"]["commit"]) == (created["deployment_id"], "c1")
    answer = await api.ask("POST", f"/{created['id']}/deploy")
    assert answer.status_code == 202
    assert answer.json()["deployment_id"] != created["deployment_id"]
    found = await api.ask("GET", f"/{created['id']}/deployments/{answer.json()['deployment_id']}")
    assert (found.json()["ref"], found.json()["status"]) == ("dev", "pending")


async def test_an_automatic_channel_follows_its_branch_and_is_deployed_when_that_changes(api: Api) -> None:
    created = await api.create()
    assert await api.follow(created["id"]) == {"org": api.org, "channel_id": created["id"], "ref": "master"}
    await api.end(created, status="succeeded", commit="c1")
    changed = (await api.ask("PATCH", f"/{created['id']}", {"branch": "dev"})).json()
    assert changed["deployment_id"] != created["deployment_id"]
    assert (changed["status"], changed["last_deployment"]) == ("ready", "pending")
    assert (await api.follow(created["id"]) or {})["ref"] == "dev"
    listed = (await api.ask("GET", f"/{created['id']}/deployments")).json()["deployments"]
    assert [one["ref"] for one in listed] == ["dev", "master"]
    assert "log" not in listed[0]


async def test_switching_the_deployment_writes_or_removes_the_follow(api: Api) -> None:
    created = await api.create()
    await api.ask("PATCH", f"/{created['id']}", {"deployment": "manual"})
    assert await api.follow(created["id"]) is None
    await api.ask("PATCH", f"/{created['id']}", {"deployment": "automatic"})
    assert await api.follow(created["id"]) is not None


async def test_a_change_of_anything_else_deploys_nothing(api: Api) -> None:
    created = await api.create()
    changed = (await api.ask("PATCH", f"/{created['id']}", {"name": "Shop", "max_text_len": 500})).json()
    assert changed == {**created, "name": "Shop", "max_text_len": 500}


async def test_a_second_deployment_waits_for_the_end_of_the_first(api: Api) -> None:
    created = await api.create()
    refused = await api.ask("POST", f"/{created['id']}/deploy")
    assert (refused.status_code, refused.json()["error"]) == (409, "deployment_in_progress")
    await api.end(created, status="failed", error="tests_failed")
    answers = await asyncio.gather(*(api.ask("POST", f"/{created['id']}/deploy") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]


async def test_a_channel_that_is_removed_takes_everything_with_it(api: Api) -> None:
    created, other = await api.create(), await api.create()
    assert (await api.ask("DELETE", f"/{created['id']}")).status_code == 204
    assert (await api.ask("DELETE", f"/{created['id']}")).status_code == 404
    assert (await api.ask("GET", f"/{created['id']}")).status_code == 404
    assert await api.programs.entries(f"{api.org}.deployment.{created['id']}") == []
    assert await api.follow(created["id"]) is None
    assert await api.follow(other["id"]) is not None
    assert [one["id"] for one in (await api.ask("GET")).json()["channels"]] == [other["id"]]


async def test_a_list_holds_nothing_that_opens_anything(api: Api) -> None:
    created = await api.create(**SECRETS)
    answer = await api.ask("GET")
    assert "planted" not in answer.text
    assert created["access_token"][:5] not in answer.text
    assert "chatapi" not in answer.text
    assert answer.json()["channels"][0]["access_token_begins"] == created["access_token"][:4]


async def test_no_secret_reaches_a_log(api: Api) -> None:
    with structlog.testing.capture_logs() as lines:
        created = await api.create(**SECRETS)
        await api.ask("PATCH", f"/{created['id']}", {"password": "planted-too", "email": "x"})
        await api.ask("PATCH", f"/{created['id']}", {"password": "planted-too"})
        await api.ask("DELETE", f"/{created['id']}")
        await api.http.get("/api/channels", headers={"Authorization": "Bearer planted-token-of-nobody"})
    assert lines
    assert "planted" not in str(lines)
    assert created["access_token"] not in str(lines)


async def test_names_are_unique_in_an_org_whoever_asks_first(api: Api) -> None:
    answers = await asyncio.gather(*(api.ask("POST", body={**FORM, "name": "Shop"}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]
    assert await api.refused(name="SHOP") == {"name": ["taken"]}
    elsewhere = await api.ask("POST", body={**FORM, "name": "Shop"}, token=OTHER_TOKEN)
    assert elsewhere.status_code == 201
    await api.ask("DELETE", f"/{elsewhere.json()['id']}", token=OTHER_TOKEN)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_orgs_channel_is_not_there(api: Api, method: str) -> None:
    created = await api.create()
    answer = await api.ask(method, f"/{created['id']}", {"name": "Mine"}, token=OTHER_TOKEN)
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_channel")
    assert (await api.show(created["id"]))["name"] == created["name"]


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_nobody_is_let_in_without_a_token(api: Api, header: dict[str, str]) -> None:
    answer = await api.http.post("/api/channels", json=FORM, headers=header)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        pytest.param(b"{", "application/json", (400, "invalid_json"), id="broken"),
        pytest.param(b"[]", "application/json", (400, "invalid_json"), id="a list"),
        pytest.param(b'{"domain": NaN}', "application/json", (400, "invalid_json"), id="no number"),
        pytest.param(b"\x80", "application/json", (400, "invalid_json"), id="msgpack"),
        pytest.param(b"", "application/json; charset=utf-8", (400, "invalid_json"), id="nothing"),
        pytest.param(b"a=1", "application/x-www-form-urlencoded", (415, "unsupported_media_type"), id="a web form"),
        pytest.param(b" " * FORM_BYTES_MAX + b"{}", "application/json", (413, "payload_too_large"), id="too much"),
    ],
)
async def test_what_is_no_form_is_refused(api: Api, content: bytes, media_type: str, expected: tuple[int, str]) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": media_type}
    answer = await api.http.post("/api/channels", content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == expected


async def test_a_method_that_a_path_does_not_have_is_told_those_that_it_has(api: Api) -> None:
    answer = await api.ask("PUT", body=FORM)
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


async def test_an_unknown_deployment_is_not_there(api: Api) -> None:
    created = await api.create()
    answer = await api.ask("GET", f"/{created['id']}/deployments/dp_none")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_deployment")


async def test_an_org_has_a_bounded_number_of_channels(api: Api) -> None:
    made = Channel.model_validate((await stored(api, await api.create())).model_dump())
    many = [
        made.model_copy(update={"id": f"ch{n}", "settings": made.settings.model_copy(update={"name": str(n)})})
        for n in range(CHANNELS_PER_ORG_MAX)
    ]
    await api.store.change(api.org, lambda _: OrgChannels(channels=many))
    answer = await api.ask("POST", body=FORM)
    assert (answer.status_code, answer.json()["error"]) == (409, "too_many_channels")
    await api.store.change(api.org, lambda _: OrgChannels())


async def test_while_the_bus_is_away_nothing_is_half_done_and_the_caller_is_told(tmp_path: Path, org: str) -> None:
    async with nats_server(tmp_path) as alone:
        settings = WebimSettings(nats_url=alone.url, admin_tokens=SecretStr(f"{org}={TOKEN}"))
        async with (
            open_backbone(settings, name="webim") as backbone,
            httpx2.AsyncClient(timeout=60, verify=NO_TLS) as http,
        ):
            api = Api(http, org, backbone.records(CHANNELS), backbone.records(PROGRAMS))
            app = FastAPI()
            app.include_router(channel_routes(api.admin, settings.administrators))
            async with served(app) as url:
                http.base_url = httpx2.URL(url)
                await api.create()
                await alone.stop()
                answer = await api.ask("GET")
    assert (answer.status_code, answer.json()["error"]) == (503, "backbone_unavailable")
    assert answer.headers["retry-after"] == "5"


# What a killed process leaves.


async def stored(api: Api, shown: dict[str, Any]) -> Channel:
    found = await api.store.find(api.org, shown["id"])
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def mended(api: Api, connection: Connection) -> AsyncIterator[None]:
    async with (
        Channels(connection, channels=api.channels, programs=api.programs) as live,
        mending(connection, live, api.admin, api.wishes, api.programs),
    ):
        yield


async def half_made(api: Api) -> Channel:
    """A channel as a process leaves it that is killed after its first write."""
    whole = await stored(api, await api.create())
    await api.ask("DELETE", f"/{whole.id}")
    await api.store.change(api.org, lambda channels: added(channels, whole))
    return whole


async def test_a_channel_that_was_made_and_not_deployed_is_deployed_by_the_next_change(api: Api) -> None:
    half = await half_made(api)
    assert (await api.show(half.id))["deployment_id"] is None
    assert (await api.ask("PATCH", f"/{half.id}", {})).json()["deployment_id"] is not None
    assert await api.follow(half.id) is not None


async def test_a_channel_that_was_made_and_not_deployed_is_deployed_when_asked(api: Api) -> None:
    half = await half_made(api)
    assert (await api.ask("POST", f"/{half.id}/deploy")).status_code == 202


async def test_a_channel_that_was_made_and_not_deployed_is_mended_by_any_worker(
    api: Api, connection: Connection
) -> None:
    half = await half_made(api)
    async with mended(api, connection), mended(api, connection):
        await poll(lambda: _is_whole(api, half.id))
    assert len(await api.wishes.deployments(half)) == 1


async def _is_whole(api: Api, channel_id: str) -> bool:
    return (await api.show(channel_id))["deployment_id"] is not None and await api.follow(channel_id) is not None


async def test_a_removal_that_was_begun_is_finished_by_any_worker(api: Api, connection: Connection) -> None:
    channel = await stored(api, await api.create())
    begun = channel.model_copy(update={"removing": True})
    await api.store.change(api.org, lambda channels: replaced(channels, begun))
    assert (await api.ask("GET", f"/{channel.id}")).status_code == 404
    async with mended(api, connection):
        await poll(lambda: _is_gone(api, channel))


async def test_what_was_asked_for_a_channel_that_went_meanwhile_goes_too(api: Api, connection: Connection) -> None:
    channel = await stored(api, await api.create())
    (left,) = await api.programs.entries(f"{api.org}.deployment.{channel.id}")
    await api.ask("DELETE", f"/{channel.id}")
    await api.programs.write(left.key, left.value, revision=None)
    async with mended(api, connection):
        await poll(lambda: _is_gone(api, channel))


async def _is_gone(api: Api, channel: Channel) -> bool:
    left = await api.wishes.deployments(channel)
    return not left and not (await api.store.read(api.org)).channels and await api.follow(channel.id) is None


async def test_a_removal_that_was_begun_is_finished_by_asking_again(api: Api) -> None:
    channel = await stored(api, await api.create())
    begun = channel.model_copy(update={"removing": True})
    await api.store.change(api.org, lambda channels: replaced(channels, begun))
    assert (await api.ask("DELETE", f"/{channel.id}")).status_code == 204
    assert await _is_gone(api, channel)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_asked_at_once_and_killed_in_between_all_fits_together_in_the_end(
    api: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret, and the same each time
    monkeypatch.setattr(channel_mending, "LOOK_EVERY_S", 0.3)
    made = [(await api.create(name=f"Channel {number}"))["id"] for number in range(3)]
    async with mended(api, connection), mended(api, connection):
        for _ in range(12):
            await asyncio.gather(*(_killed_sometimes(_something(api, made, chance), chance) for _ in range(5)))
        await poll(lambda: _all_fits(api), within_s=20)


async def _killed_sometimes(work: Coroutine[Any, Any, object], chance: random.Random) -> None:
    """Let it run for a while, to its end or not."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=chance.choice((0.001, 0.003, 0.006, 5.0)))
    task.cancel()
    await asyncio.wait({task})


async def _something(api: Api, made: list[str], chance: random.Random) -> None:
    channel_id = chance.choice(made)
    match chance.choice(("create", "branch", "automatic", "manual", "deploy", "remove")):
        case "create":
            made.append((await api.admin.create(api.org, FORM)).id)
        case "branch":
            await api.admin.change(api.org, channel_id, {"branch": chance.choice(("a", "b", "c"))})
        case "deploy":
            await api.admin.deploy(api.org, channel_id)
        case "remove":
            await api.admin.remove(api.org, channel_id)
        case deployment:
            await api.admin.change(api.org, channel_id, {"deployment": deployment})


async def _all_fits(api: Api) -> bool:
    """Every channel is deployed as its settings say, and nothing is left of any other."""
    channels = {channel.id: channel for channel in (await api.store.read(api.org)).channels}
    found = await api.programs.entries(f"{api.org}.follow")
    follows = {entry.key.split(".")[2]: decode(entry.value)["ref"] for entry in found}
    standings = await api.wishes.standings(api.org)
    automatic = {one.id: one.settings.branch for one in channels.values() if one.settings.deployment == "automatic"}
    newest = {channel_id: one.newest.ref for channel_id, one in standings.items() if one.newest is not None}
    return (
        not any(channel.removing for channel in channels.values())
        and follows == automatic
        and newest.keys() == channels.keys()
        and automatic.items() <= newest.items()
    )


# Live copies and alarms.


async def test_an_alarm_is_shown_until_it_is_cleared_or_the_login_changes(api: Api, connection: Connection) -> None:
    channel = await stored(api, await api.create(**SECRETS))
    async with Channels(connection, channels=api.channels, programs=api.programs) as live:
        await live.set_alarm(channel, "webim_auth_failed")
        await live.set_log_alarm(channel, "auth_failed")
        shown = await api.show(channel.id)
        assert (shown["alarm"], shown["log_collection"]) == ("webim_auth_failed", "auth_failed")
        changed = (await api.ask("PATCH", f"/{channel.id}", {"password": "another"})).json()
        assert (changed["alarm"], changed["log_collection"]) == ("webim_auth_failed", "full")
        await live.set_log_alarm(channel, "auth_failed")  # met with the old password
        assert (await api.show(channel.id))["log_collection"] == "full"
        now = await stored(api, changed)
        await poll(lambda: live.by_path(now.path) == now)
        await live.set_alarm(now, None)
        assert (await api.show(channel.id))["alarm"] is None


async def test_check_39_a_removed_channel_is_gone_from_the_live_copies_and_others_stay(
    api: Api, connection: Connection
) -> None:
    gone, stays = await api.create(), await api.create()
    async with Channels(connection, channels=api.channels, programs=api.programs) as live:
        assert live.by_token(gone["access_token"]) is not None
        await api.ask("DELETE", f"/{gone['id']}")
        await poll(lambda: live.by_token(gone["access_token"]) is None)
        assert live.by_token(stays["access_token"]) is not None


# The same by command.


@pytest_asyncio.fixture
async def ask(api: Api, connection: Connection) -> AsyncIterator[Callable[..., Awaitable[dict[str, Any]]]]:
    """``await ask("show", id=…)``: a command on the bus, answered as the worker answers it."""

    async def asked(verb: ChannelVerb, **body: object) -> dict[str, Any]:
        subject = ChannelCommandSubject(OrgId(api.org), WEBIM, verb)
        return await request_command(connection, subject, encode(body))

    commands = ChannelCommands(api.admin)
    async with serve_commands(connection, commands, name="test-webim", endpoints=channel_verbs(WEBIM)):
        yield asked


async def test_a_channel_has_its_whole_life_by_command(api: Api, ask: Callable[..., Any]) -> None:
    created = await ask("create", **FORM, **SECRETS)
    assert created == await ask("show", id=created["id"]) == await api.show(created["id"])
    assert (await ask("change", id=created["id"], changes={"name": "Shop"}))["name"] == "Shop"
    (listed,) = (await ask("list"))["channels"]
    assert "planted" not in str(listed)
    assert created["access_token"] not in str(listed)
    await api.end(created, status="failed", error="tests_failed", log="one test of nine failed\n")
    deployment = await ask("deployment", id=created["id"], deployment_id=created["deployment_id"])
    assert (deployment["status"], deployment["log"]) == ("failed", "one test of nine failed\n")
    again = await ask("deploy", id=created["id"])
    found = (await ask("deployments", id=created["id"]))["deployments"]
    assert [one["id"] for one in found] == [again["deployment_id"], created["deployment_id"]]
    assert await ask("remove", id=created["id"]) == {"id": created["id"], "removed": True}


async def test_a_command_that_is_refused_tells_every_field(ask: Callable[..., Any]) -> None:
    with pytest.raises(CommandRefusedError) as refused:
        await ask("create", domain="x.webim.ru", depoyment="manual")
    assert refused.value.code == "validation"
    assert refused.value.fields == {"domain": ["not_a_label"], "depoyment": ["unknown_field"]}


@pytest.mark.parametrize("verb", ["show", "change", "deploy", "deployments", "remove"])
async def test_a_command_about_an_unknown_channel_is_refused(ask: Callable[..., Any], verb: ChannelVerb) -> None:
    with pytest.raises(CommandRefusedError, match="'heimdall channels list'") as refused:
        await ask(verb, id="ch0", changes={})
    assert refused.value.code == "unknown_channel"


async def test_a_command_without_its_members_is_refused(ask: Callable[..., Any]) -> None:
    with pytest.raises(CommandRefusedError, match="Field required"):
        await ask("deployment", id="ch0")


@contextlib.contextmanager
def logged_worker(nats_url: str, org: str, log: Path) -> Iterator[tuple[str, str, subprocess.Popen[bytes]]]:
    """A worker process of its own, with everything that it says in a file; it must stop in good order."""
    port, health = free_port(), free_port()
    environment = {
        **os.environ,
        "HEIMDALL_NATS_URL": nats_url,
        "HEIMDALL_LOG_LEVEL": "debug",
        "HEIMDALL_HEALTH_PORT": str(health),
        "HEIMDALL_WEBIM_PORT": str(port),
        "HEIMDALL_WEBIM_ADMIN_TOKENS": f"{org}=planted-administrators-token",
    }
    with log.open("wb") as out:
        worker = subprocess.Popen([sys.executable, "-m", "workers.webim"], env=environment, stdout=out, stderr=out)
        try:
            yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health}/readyz", worker
            worker.terminate()
            assert worker.wait(10 * TIME_FACTOR) == 0
        finally:
            worker.kill()
            worker.wait()


async def test_check_40_a_worker_logs_no_secret_whatever_happens_to_it(
    server: EmbeddedServer, connection: Connection, org: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with logged_worker(server.url, org, log) as (url, ready_url, worker):
        await asyncio.to_thread(wait_ready, ready_url, worker)
        tokens = await use(url, connection, org)
    text = log.read_text()
    assert "channel_created" in text
    assert "planted" not in text
    assert [token for token in tokens if token[:5] in text] == []


async def use(url: str, connection: Connection, org: str) -> list[str]:
    """Everything that holds a secret, right and wrong, by HTTP and by command; the tokens of the channels made."""
    headers = {"Authorization": "Bearer planted-administrators-token"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, verify=NO_TLS) as http:
        created = (await http.post("/api/channels", json={**FORM, **SECRETS})).json()
        await http.patch(f"/api/channels/{created['id']}", json={"password": "planted" * 40, "planted": 1})
        await http.patch(f"/api/channels/{created['id']}", json={"access_token": "planted"})
        await http.post("/api/channels", content=b'{"password": "planted')
        await http.get("/api/channels", headers={"Authorization": "Bearer planted-and-wrong"})
        endpoint = f"/chatapi/webim/{created['access_token']}"
        login = httpx2.BasicAuth("webim", "planted-basic-password")
        for body in (b"{", b"[]", b'{"event": "new_chat"}'):
            for auth in (login, httpx2.BasicAuth("webim", "planted-wrong")):
                await http.post(endpoint, content=body, auth=auth, headers={"Content-Type": "application/json"})
        await http.post("/chatapi/webim/planted-unknown-token", content=b"{}")
        await http.delete(f"/api/channels/{created['id']}")
    subject = ChannelCommandSubject(OrgId(org), WEBIM, "create")
    made = await request_command(connection, subject, encode({**FORM, **SECRETS, "name": "By command"}))
    with pytest.raises(CommandRefusedError):
        await request_command(connection, subject, encode({**FORM, "password": "planted" * 40}))
    return [created["access_token"], made["access_token"]]
