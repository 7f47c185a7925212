"""Socket.IO packets: whatever comes is a packet or what it was, and what goes out is as browsers send it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dungeonlab_conformance.clients import packets
from dungeonlab_conformance.clients.packets import Decoder, Packet, Unreadable, encode
from dungeonlab_conformance.target.dialect.translation import Dialect, Shape
from dungeonlab_conformance.text.tree import deeper_than

TEXT = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)
FRAMES = st.one_of(
    TEXT,
    st.binary(max_size=40),
    st.builds("".join, st.tuples(st.sampled_from("0123456"), TEXT)),
    st.builds(
        lambda kind, number, data: f"{kind}{number}{json.dumps(data, default=str)}",
        st.sampled_from(["2", "3", "51-", "62-", "4", "0"]),
        st.sampled_from(["", "0", "7", "9" * 30]),
        JSON,
    ),
)


@given(st.lists(FRAMES, max_size=6))
@settings(max_examples=400, deadline=None)
def test_nothing_that_comes_raises(frames: list[str | bytes]) -> None:
    """Frames of any kind, in any order, come out as packets, as what they were, or wait for their attachments."""
    decoder = Decoder()
    for frame in frames:
        for found in decoder.decode(frame):
            assert isinstance(found, Packet) or (len(found.text) < 600 and len(found.why) < 130)


@pytest.mark.parametrize(
    ("frame", "number"),
    [
        ("30" + "[" * 50_000 + "]" * 50_000, 0),
        ("37" + "[" * 700 + "]" * 700, 7),
        ('30[{"a":', 0),
        ('312[{"a":NaN}]', 12),
        ('3[{"a":1}]', None),
        ("3" + "9" * 10_000 + "[]", None),
        ("38[" + "1," * 60_000 + "1]", 8),
        ('32{"a":1}', None),
        ("2[]", None),
        ("2[" + "9" * 10_000 + "]", None),
        ('599999999999-["x"]', None),
        ("9", None),
        ("", None),
        ("x", None),
    ],
)
def test_what_cannot_be_read_says_what_it_answers(frame: str, number: int | None) -> None:
    """Too deep, too many, cut off, no JSON, no type: each is unreadable, and an answer is known by its number."""
    [found] = Decoder().decode(frame)
    assert isinstance(found, Unreadable)
    assert found.number == number


def test_attachments_make_a_packet_whole() -> None:
    """An event whose bytes come behind it is one packet; a text in place of them ends the waiting, and counts."""
    decoder = Decoder()
    assert decoder.decode('51-["x",{"_placeholder":true,"num":0}]') == []
    assert decoder.decode(b"ab") == [Packet(packets.EVENT, ["x", b"ab"], weight=440)]
    assert decoder.decode('51-["x",{"_placeholder":true,"num":0}]') == []
    given_up, text = decoder.decode('2["y"]')
    assert isinstance(given_up, Unreadable)
    assert text == Packet(packets.EVENT, ["y"], weight=106)
    assert [type(found) for found in decoder.decode(b"late")] == [Unreadable]


def test_attachments_do_not_make_a_packet_lighter() -> None:
    """Ten thousand objects weigh as much with one byte behind them as without."""
    objects = "[" + ",".join(["{}"] * 10_000) + "]"
    [alone] = Decoder().decode(f'2["x",{objects}]')
    decoder = Decoder()
    assert decoder.decode(f'51-["x",{objects},{{"_placeholder":true,"num":0}}]') == []
    [attached] = decoder.decode(b"a")
    assert isinstance(alone, Packet)
    assert isinstance(attached, Packet)
    assert attached.weight > alone.weight


def test_attachments_are_not_gathered_without_end() -> None:
    """A hundred attachments of a megabyte are no packet, long before the last one has come."""
    decoder = Decoder()
    found = decoder.decode('5100-["x"]')
    for _ in range(20):
        found += decoder.decode(bytes(1_000_000))
    assert isinstance(found[0], Unreadable)
    assert found[0].why == "more than 10 MB in one packet"


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_what_is_encoded_is_decoded(value: Any) -> None:
    """A payload comes back as it was, bytes and half surrogate pairs too; everything sent can be sent as UTF-8."""
    decoder = Decoder()
    frames = encode(packets.EVENT, ["x", {"value": value}], number=5)
    [found] = [found for frame in frames for found in decoder.decode(frame)]
    assert isinstance(found, Packet)
    assert (found.data, found.number) == (["x", {"value": value}], 5)
    for frame in encode(packets.EVENT, ["x", value]):
        assert isinstance(frame, bytes) or frame.encode()


def test_letters_go_out_as_they_are() -> None:
    """An emoji takes four bytes, not the twelve of its escapes: servers limit the bytes of a message."""
    assert encode(packets.EVENT, ["x", "🐉"]) == ['2["x","🐉"]']


@pytest.mark.parametrize(("value", "levels"), [({"a": [1]}, 2), ([], 1), ("text", 0), ([[[{}]]], 4)])
def test_depth_is_counted(value: Any, levels: int) -> None:
    """Arrays and objects count, whatever is in them."""
    assert not deeper_than(value, levels)
    assert levels == 0 or deeper_than(value, levels - 1)


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        ('42["chat-message",{"message":"mark-1."}]', True),
        ('42/other,7["chat-message",{"message":"mark-1."}]', True),
        ('42[ "chat:message", "mark-1."]', True),
        ('42["x-feed:item",{"message":"mark-1."}]', False),  # a server's own
        ('42["chat-message",{"message":"mark-2."}]', False),
        ('437[{"success":true,"data":{"message":"mark-1."}}]', False),
        (r'42["chat-message",{"message":"\u006dark-1\u002e"}]', True),
        ('42["chat-message",{"message":"mark-1."', True),  # not JSON, which is judged elsewhere
        ("42[", False),
    ],
)
def test_an_event_tells_what_is_in_it(frame: str, found: bool) -> None:
    """An acknowledgement does not, nor an event that the protocol leaves to the server."""
    assert packets.tells(frame, "mark-1.") is found


def test_an_event_tells_an_id_whether_it_goes_as_a_text_or_a_number() -> None:
    """It is the whole of what it stands for."""
    sent = ['42["token:delete",{"tokenId":"7"}]', '42["token:delete",{"tokenId":7}]', '42["token:delete",{"at":"17"}]']
    assert [packets.tells(frame, "7", "token:delete") for frame in sent] == [True, True, False]
    assert not packets.tells(sent[0], "7", "token:move")


@pytest.mark.parametrize("name", ["joined", 'a "name"', "betreten: Säule"])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_frame_begins_as_its_name_says(name: str, *, escaped: bool) -> None:
    """Whether the server escapes letters, or puts white space around, or not; another name begins otherwise."""
    frame = "42" + json.dumps([name, {}], ensure_ascii=escaped)
    odd = frame.replace("[", " [\n").replace("e", "\\u0065" if escaped else "e", 1)
    for each in map(packets.plain, (frame, odd)):
        assert each.startswith(packets.beginning(name))
        assert not each.startswith(packets.beginning(name[:-1]))


@pytest.mark.parametrize(
    ("came", "plain"),
    [("431 [ 1]", "431[1]"), ('42 ["a\\u0021", {}]', '42["a!", {}]'), ('42["a\\x"]', '42["a\\x"]'), ("40 {}", "40 {}")],
)
def test_white_space_before_the_arguments_says_nothing(came: str, plain: str) -> None:
    """What is no JSON stays as it came."""
    assert packets.plain(came) == plain


def test_an_event_tells_what_is_in_it_once_it_is_translated() -> None:
    """An id may be a part of a text in the server's dialect."""
    dialect = Dialect(
        broadcasts={"token:delete": "lifted"}, emissions={"token:delete": Shape(arguments=["piece:{tokenId}", {}])}
    )
    frame = '42["lifted","piece:7",{"sessionId":"8"}]'
    assert not packets.tells(frame, "7", "lifted")
    assert packets.tells(frame, "7", "lifted", dialect.received)
    assert not packets.tells(frame, "9", "lifted", dialect.received)


@pytest.mark.parametrize(
    ("came", "plain"),
    [
        ('40/,{"sid":"a"}', '40{"sid":"a"}'),
        ("43/,1[{}]", "431[{}]"),
        ('451-/,["a",{"_placeholder":true,"num":0}]', '451-["a",{"_placeholder":true,"num":0}]'),
        ('42/table,["a"]', '42/table,["a"]'),
        ('42["a","/,"]', '42["a","/,"]'),
        ("2", "2"),
    ],
)
def test_the_default_namespace_may_be_written_out(came: str, plain: str) -> None:
    """Then an answer is known by its number all the same; other namespaces stay."""
    assert packets.plain(came) == plain
