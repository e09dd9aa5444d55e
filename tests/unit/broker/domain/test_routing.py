"""Who takes a visitor's event: one order for every channel."""

from __future__ import annotations

import pytest

from broker.domain.ids import Stub
from broker.domain.routing import CATCH_ALL, Place, Way, mapped_stub, route

A, B, C = Stub.parse("demo.A"), Stub.parse("demo.B"), Stub.parse("demo.C")


@pytest.mark.check(42)
@pytest.mark.parametrize(
    ("parent", "owner", "mapped", "expected"),
    [
        pytest.param(B, A, C, Place(Way.THREAD, B), id="a reply goes to who wrote what it replies to"),
        pytest.param(None, A, C, Place(Way.LINK, A), id="a fresh post goes to the owner"),
        pytest.param(None, None, C, Place(Way.PROFILE, C), id="without a link to the mapped stub"),
        pytest.param(None, None, None, None, id="else to whoever registered"),
    ],
)
def test_check_42_a_reply_beats_the_link_and_the_link_beats_the_map(
    parent: Stub | None, owner: Stub | None, mapped: Stub | None, expected: Place | None
) -> None:
    assert route(parent=parent, owner=owner, mapped=mapped) == expected


@pytest.mark.check(42)
@pytest.mark.parametrize(
    ("routes", "name", "expected"),
    [
        pytest.param({"sales": "demo.B", CATCH_ALL: "demo.C"}, "sales", "demo.B", id="its own entry"),
        pytest.param({"sales": "demo.B", CATCH_ALL: "demo.C"}, "support", "demo.C", id="the catch-all"),
        pytest.param({"sales": "demo.B"}, "support", "demo.A", id="the single stub"),
        pytest.param({}, None, "demo.A", id="no map: the single stub"),
    ],
)
def test_check_42_a_map_has_an_entry_for_each_route_and_one_for_the_rest(
    routes: dict[str, str], name: str | None, expected: str
) -> None:
    assert mapped_stub(routes, name, "demo.A") == expected
