"""Malformed data as a server in a dialect is sent it."""

from __future__ import annotations

import pytest

from dungeonlab_conformance.checks.frames import as_called

NAMES = {"chat-message": "say", "token:create": 'a "token"'}


@pytest.mark.parametrize(
    ("plain", "called"),
    [
        ('42["chat-message",{"sessionId":', '42["say",{"sessionId":'),
        (b'42["chat-message",{"sessionId":"\xff\xfe"}]', b'42["say",{"sessionId":"\xff\xfe"}]'),
        ('42[["chat-message"],{}]', '42[["say"],{}]'),
        ('42["token:create",{}]\x1e42["get-user-data",{', '42["a \\"token\\"",{}]\x1e42["get-user-data",{'),
        ('42["chat-mess', '42["chat-mess'),
        ("9hello", "9hello"),
    ],
)
def test_malformed_data_has_the_names_that_the_server_knows(plain: str | bytes, called: str | bytes) -> None:
    """Otherwise what it does with a request of its own would never be asked to cope with it."""
    assert as_called(NAMES, plain) == called
    assert as_called({}, plain) == plain
