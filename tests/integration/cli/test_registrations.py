"""Registering, listing and emitting from a shell, with a real linker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

from broker.domain.subjects import COMMANDS
from broker.runtime.embedded import nats_server
from broker.transport.connection import connect
from broker.transport.ensure import ensure
from tests.integration.cli.conftest import SESSION, Cli, conversation
from tests.processes import worker_process


def _task(path: str, stub: str, mechanism: str) -> tuple[str, str]:
    """A registration and its uuid."""
    params: dict[str, Any] = {
        "uuid": str(uuid4()),
        "events": {"it": {"path": path, "mechanism": mechanism}},
        "trigger_stubaction": {"action_name": "go", "stubref": stub},
    }
    return json.dumps({"tasktype": "heimdall_register", "params": params}), params["uuid"]


async def test_a_shell_registers_lists_and_emits(cli: Cli, org: str, tmp_path: Path) -> None:
    path = conversation(org).prefix + ".webchatmessagetype.notice"
    commands = f"{COMMANDS}.org.{org}"
    async with nats_server(tmp_path) as server:
        async with connect(server.url, name="test") as connection:
            await ensure(connection)
        with worker_process("linker", server.url):
            first, first_uuid = _task(path, "desk.A", "cbh")
            second, second_uuid = _task(path.replace(SESSION, "#"), "desk.B", "cbh")
            await cli("publish", f"{commands}.register", first, url=server.url)
            told = await cli("publish", f"{commands}.register", second, url=server.url)
            assert told.records == [{"uuid": second_uuid, "shadowed_by": first_uuid}]
            listed = (await cli("registrations", "--org", org, url=server.url)).records
            assert [(one["stub"], one["shadowed_by"]) for one in listed] == [("desk.A", None), ("desk.B", first_uuid)]
            of_stub = (await cli("registrations", "--org", org, "--stub", "desk.B", url=server.url)).records
            assert [one["uuid"] for one in of_stub] == [second_uuid]
            data = {"webchat": {"sessionuuid": SESSION, "webchat_control_event": {"paid": True}}}
            task = {"tasktype": "heimdall_emit", "params": {"path": path, "mechanism": "cbh", "data": data}}
            [reply] = (await cli("publish", f"{commands}.emit", json.dumps(task), url=server.url)).records
            assert [(one["path"], one["mechanism"]) for one in reply["emitted"]] == [(path, "cbh")]
            task["params"] = {"path": path.replace(SESSION, "#"), "mechanism": "cbh", "data": data}
            refused = await cli("publish", f"{commands}.emit", json.dumps(task), url=server.url)
            assert "wildcards" in refused.refusal
