"""The list of open cases: what the clock looks after is found without looking through all that ever were."""

from __future__ import annotations

from uuid import uuid4

import pytest_asyncio

from broker.domain.ids import ChannelName, ChatName, OrgId, SessionId
from broker.domain.subjects import ChatPath
from broker.transport.connection import Connection
from broker.transport.ensure import ensure_bucket
from broker.transport.publisher import Publisher
from broker.transport.records import Records
from workers.giosg.cases.case import Case
from workers.giosg.cases.store import CASES, CaseStore


@pytest_asyncio.fixture
async def store(connection: Connection, publisher: Publisher) -> CaseStore:
    await ensure_bucket(connection, CASES)
    return CaseStore(Records(connection, publisher, CASES))


def a_case(org: str) -> Case:
    session = SessionId(str(uuid4()))
    path = ChatPath(ChannelName("webchat"), OrgId(org), ChatName("draftshop"))
    prefix = path.conversation(session).prefix
    name = f"c{uuid4().hex[:8]}"
    return Case(org=org, connection=name, conversation=prefix, session=session, visitor_key="webchat-v1")


async def _listed(store: CaseStore, case: Case) -> list[str]:
    return [each.session for each in await store.listed(case.connection)]


async def test_a_case_is_listed_as_soon_as_it_is_open(store: CaseStore, org: str) -> None:
    case = a_case(org)
    await store.save(case, revision=0)
    assert await _listed(store, case) == []
    await store.change(SessionId(case.session), lambda found: found.model_copy(update={"stage": "open_silent"}))
    assert await _listed(store, case) == [case.session]


async def test_a_case_that_is_saved_as_open_is_listed(store: CaseStore, org: str) -> None:
    case = a_case(org).model_copy(update={"stage": "waiting"})
    await store.save(case, revision=0)
    assert await _listed(store, case) == [case.session]


async def test_a_case_that_ended_stays_listed_until_it_is_struck_off(store: CaseStore, org: str) -> None:
    case = a_case(org).model_copy(update={"stage": "active"})
    await store.save(case, revision=0)
    await store.change(SessionId(case.session), lambda found: found.model_copy(update={"stage": "ended"}))
    [listed] = await store.listed(case.connection)
    await store.strike_off(case.connection, listed)
    assert await _listed(store, case) == []


async def test_a_case_that_opened_again_is_not_struck_off(store: CaseStore, org: str) -> None:
    case = a_case(org).model_copy(update={"stage": "active"})
    await store.save(case, revision=0)
    await store.change(SessionId(case.session), lambda found: found.model_copy(update={"stage": "ended"}))
    [before] = await store.listed(case.connection)
    await store.change(SessionId(case.session), lambda found: found.model_copy(update={"stage": "waiting"}))
    await store.strike_off(case.connection, before)
    assert await _listed(store, case) == [case.session]
