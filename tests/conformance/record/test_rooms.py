"""Who was in which room: what each answer makes of a stay."""

from __future__ import annotations

import itertools
from dataclasses import FrozenInstanceError

import pytest

from dungeonlab_conformance.record.journal import Journal
from dungeonlab_conformance.record.observation import Request, RoomStay
from dungeonlab_conformance.record.rooms import Rooms

ALICE, TAB, BOB = range(1, 4)


@pytest.fixture
def rooms() -> Rooms:
    """Return the rooms of a scene in which alice has two connections and bob one; a second passes at each look."""
    seconds = itertools.count(1)
    made = Rooms(lambda: float(next(seconds)))
    for connection, user in ((ALICE, "alice"), (TAB, "alice"), (BOB, "bob")):
        made.connected(connection, user)
    return made


def joined(rooms: Rooms, connection: int, session: str) -> RoomStay:
    """Let a connection ask to join, and grant it."""
    return rooms.joined(rooms.join_asked(connection, session))


def test_a_stay_never_changes(rooms: Rooms) -> None:
    """What becomes known of it takes its place, and is not written into what somebody holds."""
    asked = rooms.join_asked(ALICE, "s")
    granted = rooms.joined(asked)
    assert (asked.exact, asked.acked_at) == (False, None)
    assert (granted.exact, granted.acked_at) == (True, 2.0)
    assert rooms.stays == (granted,)
    with pytest.raises(FrozenInstanceError):
        granted.left_at = 3.0  # type: ignore[misc]


def test_until_it_is_answered_a_stay_is_not_exact(rooms: Rooms) -> None:
    """It may have been granted, or not; it is not what the connection has."""
    asked = rooms.join_asked(ALICE, "s")
    assert rooms.stays == (asked,)
    assert rooms.stay_of(ALICE) is None


def test_what_is_refused_is_no_stay(rooms: Rooms) -> None:
    """The connection that it was refused is remembered."""
    rooms.join_refused(rooms.join_asked(ALICE, "s"))
    assert not rooms.stays
    assert list(rooms.refused_joins) == [(ALICE, "s")]


def test_what_has_ended_does_not_end_once_more(rooms: Rooms) -> None:
    """A member who was removed may ask to leave, say goodbye and be disconnected afterwards."""
    joined(rooms, ALICE, "s")
    rooms.revoked("alice", 5.0, 4.0)
    ended = rooms.stays
    rooms.leave_asked(ALICE)
    rooms.left(ALICE, 7.0, 6.0)
    rooms.leaving(ALICE)
    rooms.closed(ALICE, 9.0, by_server=True)
    assert rooms.stays == ended


def test_joining_another_room_ends_the_stay_in_the_first(rooms: Rooms) -> None:
    """It ended between the request and the answer; the user's other connection may have been moved out at any time."""
    joined(rooms, ALICE, "s")
    joined(rooms, TAB, "s")
    second = joined(rooms, ALICE, "t")
    first, tab, third = rooms.stays
    assert (first.why, first.leave_requested_at, first.left_at) == ("switched", second.joined_at, second.acked_at)
    assert (first.exact, tab.exact, tab.left_at) == (True, False, None)
    assert third == rooms.stay_of(ALICE) == second


def test_joining_the_same_room_again_is_the_same_stay(rooms: Rooms) -> None:
    """It is counted."""
    joined(rooms, ALICE, "s")
    assert joined(rooms, ALICE, "s").repeats == 1
    assert len(rooms.stays) == 1


def test_of_two_rooms_asked_for_at_once_neither_ends_the_other(rooms: Rooms) -> None:
    """In which one the connection ends up is for the server to choose; the stay before both ends."""
    joined(rooms, ALICE, "s")
    both = [rooms.join_asked(ALICE, session) for session in ("t", "s")]
    for asked in both:
        rooms.joined(asked)
    assert [(stay.session, stay.why) for stay in rooms.stays] == [("s", "switched"), ("t", None), ("s", None)]


def test_what_was_left_is_not_had_any_more(rooms: Rooms) -> None:
    """Otherwise than what ended because the connection was closed, which may come back to it."""
    joined(rooms, ALICE, "s")
    joined(rooms, BOB, "s")
    rooms.left(ALICE, 9.0, 8.0)
    rooms.closed(BOB, 9.0, by_server=True)
    assert [(stay.why, stay.leave_requested_at, stay.left_at) for stay in rooms.stays] == [
        ("left", 8.0, 9.0),
        ("closed", 0.0, 9.0),
    ]
    assert rooms.stay_of(ALICE) is None
    assert rooms.stay_of(BOB) == rooms.stays[1]


def test_who_disconnects_had_asked_for_it(rooms: Rooms) -> None:
    """At the moment itself, or when the server was asked to end it."""
    joined(rooms, ALICE, "s")
    joined(rooms, BOB, "s")
    rooms.closed(ALICE, 9.0, by_server=False)
    rooms.leaving(BOB)
    rooms.closed(BOB, 9.0, by_server=False)
    assert [(stay.why, stay.leave_requested_at) for stay in rooms.stays] == [("gone", 9.0), ("gone", 5.0)]


def test_a_removed_user_is_out_on_all_connections(rooms: Rooms) -> None:
    """Those of others stay."""
    for connection in (ALICE, TAB, BOB):
        joined(rooms, connection, "s")
    rooms.revoked("alice", 9.0, 8.0)
    assert [stay.why for stay in rooms.stays] == ["revoked", "revoked", None]


def test_leaving_without_a_callback_leaves_it_open(rooms: Rooms) -> None:
    """The connection may be in the room or not."""
    joined(rooms, ALICE, "s")
    rooms.leave_asked(ALICE)
    assert [(stay.exact, stay.left_at) for stay in rooms.stays] == [(False, None)]


def test_who_left_and_was_closed_at_once_has_left(rooms: Rooms) -> None:
    """It is in no room to come back to; not if the answer is of a time when the connection was closed already."""
    joined(rooms, ALICE, "s")
    joined(rooms, BOB, "s")
    asked, answered, closed = 5.0, 6.0, 7.0
    for connection, at in ((ALICE, answered), (BOB, closed + 1)):
        rooms.closed(connection, closed, by_server=True)
        rooms.left(connection, at, asked)
    assert rooms.stay_of(ALICE) is None
    assert [(stay.why, stay.left_at) for stay in rooms.stays] == [("left", answered), ("closed", closed)]


def test_who_joined_and_was_closed_at_once_is_out(rooms: Rooms) -> None:
    """Though its answer is looked at later: what its successor joins is a stay of its own."""
    asked = rooms.join_asked(ALICE, "s")
    rooms.closed(ALICE, 7.0, by_server=True)
    first = rooms.joined(asked, 6.0)
    assert (first.why, first.acked_at, first.left_at) == ("closed", 6.0, 7.0)
    again = rooms.join_asked(ALICE, "s")
    rooms.join_sent(again, Journal().sent(Request.naming("join-session", "s"), "alice", "alice", TAB))
    assert rooms.joined(again) == rooms.stay_of(TAB) == rooms.stays[1]


def test_of_several_rooms_that_were_joined_at_once_none_is_certain(rooms: Rooms) -> None:
    """Nor that the one before was left; of other connections all is as well known as before."""
    joined(rooms, BOB, "s")
    joined(rooms, ALICE, "r")
    joined(rooms, ALICE, "s")
    rooms.joined_at_once(ALICE)
    assert [stay.exact for stay in rooms.stays] == [True, False, False]


def test_of_its_own_room_and_another_asked_for_at_once_either_may_last(rooms: Rooms) -> None:
    """Whichever is answered first: a server may answer in another order than that in which it let in."""
    joined(rooms, ALICE, "r")
    other, own = rooms.join_asked(ALICE, "s"), rooms.join_asked(ALICE, "r")
    rooms.joined(own)
    rooms.joined(other)
    assert [(stay.session, stay.why, stay.exact) for stay in rooms.stays] == [
        ("r", "switched", True),
        ("s", None, True),
        ("r", None, False),
    ]
