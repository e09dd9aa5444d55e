import pytest

from workers.webchat.admission import Admission, Pace, is_allowed_origin


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def admission(clock: Clock, **bounds: int) -> Admission:
    return Admission(
        **{"sockets_max": 10, "per_address_max": 2, "sessions_per_minute_max": 2} | bounds,
        clock=clock,
    )


def test_an_address_has_so_many_sockets_and_gets_room_when_one_leaves() -> None:
    door = admission(Clock())
    assert door.enter("a")
    assert door.enter("a")
    assert not door.enter("a")
    assert door.enter("b")
    door.leave("a")
    assert door.enter("a")
    assert door.socket_count == 3


def test_the_process_has_so_many_sockets_over_all_addresses() -> None:
    door = admission(Clock(), sockets_max=2)
    assert door.enter("a")
    assert door.enter("b")
    assert not door.enter("c")


def test_an_address_begins_so_many_sessions_a_minute() -> None:
    clock = Clock()
    door = admission(clock)
    assert [door.begin_session("a") for _ in range(3)] == [True, True, False]
    assert door.begin_session("b")
    clock.now_s += 60
    assert door.begin_session("a")


def test_a_burst_is_free_and_then_frames_wait_for_their_turn() -> None:
    pace = Pace(10.0, 2, now_s=0.0)
    assert [pace.wait_s(0.0) for _ in range(4)] == pytest.approx([0.0, 0.0, 0.1, 0.2])
    assert pace.wait_s(10.0) == 0.0


@pytest.mark.parametrize(
    ("origin", "allowed", "expected"),
    [
        pytest.param(None, (), True, id="a program sends none"),
        pytest.param("http://chat.example.org:8080", (), True, id="our own page"),
        pytest.param("https://chat.example.org:8080", (), True, id="our own page behind a proxy that ends TLS"),
        pytest.param("http://chat.example.org", (), False, id="another port of our host"),
        pytest.param("https://shop.example.org", (), False, id="another site"),
        pytest.param("https://shop.example.org", ("https://shop.example.org",), True, id="a site that is named"),
        pytest.param("http://shop.example.org", ("https://shop.example.org",), False, id="the same without TLS"),
        pytest.param("https://shop.example.org", ("*",), True, id="all sites"),
        pytest.param("null", (), False, id="a sandboxed page"),
        pytest.param("http://[", (), False, id="no address at all"),
    ],
)
def test_a_page_may_open_a_chat_if_allowed(origin: str | None, allowed: tuple[str, ...], expected: bool) -> None:  # noqa: FBT001
    assert is_allowed_origin(origin, "chat.example.org:8080", allowed) is expected


def test_a_page_without_an_address_is_no_page_of_a_host_without_a_name() -> None:
    assert not is_allowed_origin("null", "", ())
