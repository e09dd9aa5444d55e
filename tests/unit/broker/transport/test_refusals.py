"""What a stream's refusal becomes, and whether it is tried again."""

from __future__ import annotations

import pytest

from broker.errors import (
    BusError,
    ConflictError,
    InFlightError,
    PublishRefusedError,
    ServerOverloadedError,
    StreamFullError,
)
from broker.runtime.retry import Retry, SetAside, after_failure
from broker.transport.refusals import refusal

SESSION = "5b0c7f0e-2a41-4a55-8f7d-6c2f0e8a9d11"
SUBJECT = f"stubber.systems.notifications.webchat.org.o.name.n.sessionuuid.{SESSION}.notification"


@pytest.mark.parametrize(
    ("status", "err_code", "expected", "is_tried_again"),
    [
        pytest.param(400, 10071, ConflictError, True, id="compare-and-set lost"),
        pytest.param(400, 10164, ConflictError, True, id="compare-and-set lost where no sequence is known"),
        pytest.param(503, 10077, StreamFullError, True, id="the stream's own limit"),
        pytest.param(400, 10002, StreamFullError, True, id="the account's limit"),
        pytest.param(500, 10047, StreamFullError, True, id="no storage left"),
        pytest.param(503, 10023, ServerOverloadedError, True, id="insufficient resources"),
        pytest.param(429, 10167, ServerOverloadedError, True, id="the queue of the stream is full"),
        pytest.param(409, 10158, InFlightError, True, id="the same id is being stored on a cluster"),
        pytest.param(503, 10008, PublishRefusedError, True, id="the server's fault"),
        pytest.param(400, 10054, PublishRefusedError, False, id="the request's fault"),
    ],
)
def test_each_refusal_has_its_error(status: int, err_code: int, expected: type[BusError], is_tried_again: bool) -> None:  # noqa: FBT001
    error = refusal(SUBJECT, {"code": status, "err_code": err_code, "description": "because"})
    assert type(error) is expected
    assert isinstance(after_failure(error, 1_000), Retry if is_tried_again else SetAside)


@pytest.mark.parametrize("err_code", [10077, 10167, 10158])
def test_what_reaches_publishers_names_no_session(err_code: int) -> None:
    error = refusal(SUBJECT, {"code": 503, "err_code": err_code, "description": "maximum bytes exceeded"})
    assert SESSION[:9] not in str(error)
    assert "stubber.systems.notifications" in str(error)
