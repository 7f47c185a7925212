"""What is taken for a secret in what a server sends, and what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from tests.conformance.test_whatever_comes import JSON, Opaque, nested

from dungeonlab_conformance.record.arguments import body
from dungeonlab_conformance.record.secrets.leaks import leaks, made_up, redact

HASHES = {
    "bcrypt": "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    "old bcrypt": "$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b2dWRWJTmaaVDD",
    "scrypt of passlib": "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    "scrypt of Werkzeug": "scrypt:32768:8:1$abcdefgh$" + "0123456789abcdef" * 8,
    "PBKDF2 of Django": "pbkdf2_sha256$870000$saltsalt$1qIyVCDpn0cHXJz5nU4Gqzdlrz3ZGD1g7AQhXW9+abc=",
    "PBKDF2 of Werkzeug": "pbkdf2:sha256:600000$abcdefgh$" + "0123456789abcdef" * 4,
    "PBKDF2 of passlib": "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThBYRfk",
    "sha512-crypt": "$6$rounds=5000$saltstring$" + "ab./" * 21 + "ab",
    "md5-crypt": "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/",
    "yescrypt": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "phpass": "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0",
    "LDAP": "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3",
}
KEYS = {
    "JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "payment key": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "cloud key": "AKIA" + "IOSFODNN7EXAMPLE",
    "password of a database": "postgresql://app:correct-horse@db.example.org:5432/game",
}
NAMED = {
    "passwordHash": "5f4dcc3b5aa765d61d8327deb882cf99",
    "password_hash": "x" * 7 + "1",
    "PASSWORD": "hunter2",
    "hashedPassword": "aGVsbG8=",
    "user-password": "hunter2",
    "salt": "9f86d081",
    "apiKey": "k-1",
    "API_KEY": "k-1",
    "stripeApiKey": "k-1",
    "sessionToken": "abcdef",
    "refresh_token": "abcdef",
    "clientSecret": "abcdef",
    "hashed_pw": "abcdef",
    "apiKeys": "k-1",
    "passwordHashes": "abcdef",
    "secret": "abcdef",
    "hash": "5f4dcc3b5aa765d61d8327deb882cf99",
}
HARMLESS = {
    "ids": {"id": "507f1f77bcf86cd799439011", "sessionId": "5f4dcc3b5aa765d61d8327deb882cf99"},
    "more ids": {"userId": "550e8400-e29b-41d4-a716-446655440000", "messageId": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    "nanoids": {"id": "V1StGXR8_Z5jdHi6B-myT", "tokenId": "sk_V1StGXR8_Z5jdHi6B", "__v": 3, "_id": "a" * 64},
    "a token": {"token": {"id": "t", "name": "Salt", "version": 1, "data": {"secret": "a trap door", "salt": "3 lb"}}},
    "a talk": {"message": "my password is hunter2, the salt: 'x', $1$ or $5 a day; secret: \"none\"", "userId": "u"},
    "addresses": {"imageUrl": "https://a:b@example.org/x.png", "home": "redis://db.example.org:6379", "passes": "two"},
    "names": {
        "basalt": "rock",
        "tokenId": "abcdefgh",
        "token": "abcdefgh",
        "passwordChangedAt": "2026-01-02T03:04:05Z",
    },
    "absent": {"password": None, "passwordHash": "", "secret": True, "salt": 5, "apiKey": "***", "jwt": "[redacted]"},
    "a picture": {"imageUrl": "https://example.org/" + "ab12" * 16 + ".png?sig=" + "A" * 40, "imageHash": "ab" * 20},
}
OURS = made_up(
    ["alice-610407-0", "bob@example.org"], ["kq3J8-password", "u-1234567890123", "short"], ["u-1234567890123"]
)


@pytest.mark.parametrize("secret", [*HASHES.values(), *KEYS.values()], ids=[*HASHES, *KEYS])
def test_a_secret_is_known_by_its_notation(secret: str) -> None:
    """Wherever it stands: under any name, in a longer text, in a token's free data, as an argument by itself."""
    for payload in (
        secret,
        {"x": [{"note": secret}]},
        {"error": f"no row for {secret}!"},
        {"token": {"data": {"a": secret}}},
    ):
        (leak,) = leaks((payload,))
        assert secret not in leak.what
        assert secret[12:30] not in redact(json.dumps(payload))
        assert secret[12:30] not in redact(repr(payload))


@pytest.mark.parametrize("name", NAMED)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    """However that is spelt, and blacked out in JSON, in a message, and in JSON inside of JSON."""
    payload = {"success": True, "data": {"user": {"id": "u", name: NAMED[name]}}}
    (leak,) = leaks((payload,))
    assert leak.path == f"$[0].data.user.{name}"
    for text in (json.dumps(payload), repr(payload), json.dumps(json.dumps(payload))):
        assert NAMED[name] not in redact(text)
        assert name in redact(text)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_only_looks_like_a_secret_is_none(what: str) -> None:
    """Opaque ids, the protocol's tokens, people's talk, what is not there."""
    assert list(leaks((HARMLESS[what],), OURS)) == []
    assert what in ("a token", "a talk") or redact(json.dumps(HARMLESS[what])) == json.dumps(HARMLESS[what])


def test_what_the_suite_made_up_is_known() -> None:
    """A password, a cookie and a mail address of this run; not an id that is in a cookie, nor a login by address."""
    payload = {"a": "is kq3J8-password", "b": "alice-610407-0@example.org", "c": "u-1234567890123", "d": "short"}
    assert sorted(leak.path for leak in leaks(payload, OURS)) == ["$.a", "$.b"]
    assert list(leaks({"username": "bob@example.org", "email": "carol@example.org"}, OURS)) == []
    assert redact("to alice-610407-0@example.org.", OURS) == "to ***."


def test_an_event_of_the_servers_own_may_hold_what_looks_like_a_secret() -> None:
    """A riddle's word, a signed token for the one who gets it; not a hash, nor what is long and random."""
    assert list(leaks({"password": "mellon", "token": KEYS["JSON Web Token"]}, own=True)) == []
    assert [leak.path for leak in leaks({"a": HASHES["bcrypt"], "apiKey": "k" * 20}, own=True)] == ["$.apiKey", "$.a"]


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(JSON.map(Opaque))
def test_anything_can_be_looked_through(came: Opaque) -> None:
    """Whatever comes; what is blacked out once stays as it is."""
    list(leaks((came.what,), OURS))
    text = redact(body((came.what,))[0], OURS)
    assert redact(text, OURS) == text


@pytest.mark.parametrize(
    "text",
    [
        '"a":"' * 20_000,
        "'a':'\\" * 20_000,
        "\\" * 100_000,
        "$2b$10$" * 20_000,
        "eyJ" * 60_000,
        "eyJ-" * 1_000_000,
        ("eyJ-" * 100 + ".") * 10_000,
        "@" + "alice-610407-0" * 300_000,
        "-----BEGIN PRIVATE KEY-----" * 5_000,
    ],
    ids=lambda text: text[:10],
)
def test_a_long_text_is_looked_through_in_time(text: str) -> None:
    """A text made to be slow: this test ends. No message is longer than 4 MB, and no line of a report than 64 kB."""
    assert redact(text[:100_000], OURS)
    list(leaks({"message": text}, OURS))
    list(leaks(nested(1_000)))
