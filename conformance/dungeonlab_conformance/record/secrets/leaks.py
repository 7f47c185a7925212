"""What looks like a secret in what a server sends: one place that knows, for the finding and for the blacking out.

Pure. A secret is known by its own notation (a password hash, a key), by the name of the property it is in, or because
it is one that this suite made up. Ids are opaque and may look like hashes: long hexadecimal text alone is none.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from dungeonlab_conformance.record.arguments import quoted

HIDDEN = "***"
_HASHES = (  # of passwords, as the usual libraries write them
    r"\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{6,53}",  # bcrypt
    r"\$argon2(?:id|i|d)\$[^\s\"'\\<>]{8,}",
    r"\$(?:scrypt|bcrypt-sha256|pbkdf2(?:-sha\d+)?)\$[^\s\"'\\<>]{8,}",  # passlib
    r"\$7\$[./A-Za-z0-9]{11,}(?:\$[./A-Za-z0-9]{20,})?",  # scrypt, libsodium
    r"\bscrypt:\d+:\d+:\d+\$[^\s\"'\\$]{2,}\$[0-9a-fA-F]{32,}",  # Werkzeug
    r"\bpbkdf2(?::sha\d+(?::\d+)?|_sha\d+\$\d+)\$[^\s\"'\\$]{2,}\$[A-Za-z0-9+/=]{20,}",  # Werkzeug, Django
    r"\$(?:[156]|apr1|g?y)\$(?:rounds=\d+\$)?[./A-Za-z0-9]{1,32}\$(?:[./A-Za-z0-9]{1,64}\$)?[./A-Za-z0-9]{22,86}",
    r"\$[PH]\$[./A-Za-z0-9]{31}",  # phpass
    r"\{S?(?:SHA(?:256|512)?|MD5)\}[A-Za-z0-9+/=]{20,}",  # LDAP
)
_KEYS = (
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----(?:.{0,8000}?-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----)?",
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{8,}",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    r"\bgithub_pat_[A-Za-z0-9_]{22,}",
    r"\bxox[baprs]-[A-Za-z0-9-]{20,}",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    # a password in a database's address, which is in many an error message
    r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?)://[^\s:/@]{0,80}:[^\s/@]{3,200}@",
)
_KEY_SIGNS = ("-----BEGIN", "k_", "AKIA", "ASIA", "gh", "github_pat_", "xox", "AIza", "://")  # each has one in it
# A JSON Web Token. It is looked for where such letters begin, or after one word: a text may begin a million of them.
_SIGNED = r"(?<![\w-])(?:\w{1,20}-)?eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{16,}"

_HASH = re.compile("|".join(_HASHES))
_KEY = re.compile("|".join(_KEYS), re.DOTALL)
_TOKEN = re.compile(_SIGNED)
_ANY = re.compile("|".join((*_HASHES, *_KEYS, _SIGNED)), re.DOTALL)
_SIGN = re.compile("|".join(map(re.escape, ("$", "{S", "{M", "eyJ", *_KEY_SIGNS))))  # in each of them is one

# The last words of a property's name, run together: `userPasswordHash` and `password_hash` both end in one of them.
_NAMES = frozenset(
    [
        "password",
        "passwd",
        "pwd",
        "pw",
        "passphrase",
        "passcode",
        "passwordhash",
        "passwordhashed",
        "passworddigest",
        "passwordencrypted",
        "passhash",
        "pwhash",
        "pwdhash",
        "salt",
        "secret",
        "secretkey",
        "secrethash",
        "privatekey",
        "privatekeypem",
        "apikey",
        "apisecret",
        "clientsecret",
        "accesskey",
        "signingkey",
        "encryptionkey",
        "sessiontoken",
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "bearertoken",
        "resettoken",
        "verificationtoken",
        "csrftoken",
        "jwt",
        "authorization",
        "cookie",
        "setcookie",
    ]
)
_BARE = frozenset(("hash", "digest"))  # names of much else too; of a secret, if that is the whole name
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SHORTEST = 3  # characters of anything that is called a secret
_SHORT = 64  # characters of a text that is remembered
_LEAST = 12  # characters of what is known as one by itself; what is shorter may occur by chance
_LONG = re.compile(r"(?:[0-9a-fA-F]{32,}|[A-Za-z0-9+/_-]{40,}={0,2})")
_RANDOM = re.compile(r"\S{16,}")
_CUTS = (re.compile(r"[\s\"'=;,&<>]+"), re.compile(r"[^\w%+/-]+"))  # what may stand between a secret and other text
_MASKED = re.compile(r"[*•x·….\s]*|\W?(?:hidden|redacted|filtered|secret|none|null)\W?", re.IGNORECASE)
_PROPERTY = re.compile(
    r"""(?<!\\)(\\*["'])([A-Za-z_$@][\w$@. -]{1,60})\1(\s*:\s*)(\\*["'])(.{0,4096}?)(?<!\\)\4""", re.DOTALL
)


@dataclass(frozen=True, eq=False)
class Ours:
    """The secrets that this suite made up: passwords and cookies, and the names under which it registered."""

    values: frozenset[str] = frozenset()
    usernames: frozenset[str] = frozenset()

    @cached_property
    def _shortest(self) -> float:
        return min(map(len, self.values), default=math.inf)

    def holds(self, text: str) -> bool:
        """Whether a text is one of the values, or has one in it among others."""
        if text in self.values:
            return True
        several = len(text) > self._shortest and any(sign in text for sign in ' "=;,:')
        return several and any(not self.values.isdisjoint(cut.split(text)) for cut in _CUTS)


@lru_cache(maxsize=8)
def _addresses(usernames: frozenset[str]) -> re.Pattern[str] | None:
    """Return what finds the mail addresses that were made of names; None if there are no names."""
    names = "|".join(map(re.escape, sorted(usernames)))
    return re.compile(rf"(?:{names})[\w.+-]{{0,64}}@[\w-]{{1,63}}\.[\w.-]{{0,250}}\w") if names else None


@dataclass(frozen=True, slots=True)
class Leak:
    """One secret in a payload: its JSON path, and what it is, in words."""

    path: str
    what: str


def leaks(payload: Any, ours: Ours = Ours(), *, own: bool = False) -> Iterator[Leak]:
    """Yield the secrets in what a server sent, whatever that is; never raises.

    `own` says that it is an event of the server's own, of whose properties the protocol knows nothing: there a signed
    token may be what the event is for, and a word under `secret` part of the game.
    """
    if not _may_leak(payload, ours, own=own):
        return
    ahead: list[tuple[str, str, Any, bool]] = [("$", "", payload, False)]  # path, name, value, whether among free data
    while ahead:
        path, name, value, free = ahead.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                key = key if isinstance(key, str) else quoted(key)
                clients = free or (key == "data" and not _ENVELOPE & value.keys())  # whose business it is alone
                ahead.append((_below(path, f".{key}"), key[:80], inner, clients))
        elif isinstance(value, list | tuple):
            ahead.extend((_below(path, f"[{number}]"), name, inner, free) for number, inner in enumerate(value))
        elif isinstance(value, str):
            look = _secret_in if len(value) > _SHORT else _secret_in_short
            if what := look(value, name, free, own, ours):
                yield Leak(path, what)


def _may_leak(payload: Any, ours: Ours, *, own: bool) -> bool:
    """Whether there is anything in a payload that is a secret, unless it is among free data; keeps no paths."""
    ahead: list[tuple[str, Any]] = [("", (payload,))]  # names and what holds values
    while ahead:
        name, holder = ahead.pop()
        for key, value in holder.items() if isinstance(holder, dict) else zip(itertools.repeat(name), holder):
            if isinstance(value, str):
                look = _secret_in if len(value) > _SHORT else _secret_in_short
                if look(value, key[:80] if isinstance(key, str) else quoted(key)[:80], False, own, ours):
                    return True
            elif type(value) not in _NO_TEXT and isinstance(value, dict | list | tuple):
                ahead.append((key if isinstance(key, str) else quoted(key), value))
    return False


_NO_TEXT = frozenset({int, float, bool, type(None)})  # what nothing can be in
_ENVELOPE = {"success", "error", "code", "message"}  # what holds an answer's `data`, which is not that of a token
_LOGIN_NAMES = ("username", "displayname", "login")  # which some servers have be the address


def _secret_in(text: str, name: str, free: bool, own: bool, ours: Ours) -> str | None:
    """Say what secret a text is, or holds, under a name, `free` if that is a client's business; None if it is none."""
    return _kind(text, "" if free else name, own=own) or _ours(text, name, ours)


_secret_in_short = lru_cache(maxsize=8_192)(_secret_in)  # ids, names and times come again and again


def _ours(text: str, name: str, ours: Ours) -> str | None:
    """Say what of the suite's own a text is, or holds; None if nothing."""
    if len(text) >= _LEAST and ours.holds(text):
        return "a password or cookie of this run"
    if "@" in text and name.lower() not in _LOGIN_NAMES:
        addresses = _addresses(ours.usernames)
        return "a mail address of this run" if addresses and addresses.search(text) else None
    return None


def _kind(text: str, name: str, *, own: bool) -> str | None:
    """Say what secret a text is, or holds, in a property of some name; None if it is none."""
    if len(text) >= _LEAST:  # and then a look for a sign, since there is very much that is no secret
        if ("$" in text or "{" in text) and _HASH.search(text):
            return "a password hash"
        if any(sign in text for sign in _KEY_SIGNS) and _KEY.search(text):
            return "a secret key"
        if not own and "eyJ" in text and _TOKEN.search(text):
            return "a signed token"
    if name and is_secret(name, text) and (not own or _RANDOM.fullmatch(text)):
        return f"the value of {name}"
    return None


def is_secret(name: str, text: str) -> bool:
    """Whether what stands under a property's name is a secret: by the name, in any spelling, and for being there."""
    if len(text) < _SHORTEST or not (certain := _secret_names(name)) or _MASKED.fullmatch(text):
        return False
    return certain == "always" or _LONG.fullmatch(text) is not None


def may_name_a_secret(name: str) -> bool:
    """Whether what stands under a property's name may be a secret for that alone."""
    return bool(_secret_names(name))


@lru_cache(maxsize=1_000)
def _secret_names(name: str) -> Literal["", "always", "if long"]:
    """Say whether what has a name is a secret: never, always, or if it looks like one."""
    words = [word.lower() for word in _WORDS.findall(name)]
    endings = ("".join(words[start:]) for start in range(max(0, len(words) - 3), len(words)))
    if any(not _NAMES.isdisjoint((each, each.removesuffix("s"), each.removesuffix("es"))) for each in endings):
        return "always"
    return "if long" if "".join(words) in _BARE else ""


def redact(text: str, ours: Ours = Ours(), instead: Callable[[str], str] = lambda _: HIDDEN) -> str:
    """Return JSON, or a message that repeats some, with asterisks in place of each secret; never raises.

    What `instead` makes of a secret takes its place, if that is another.
    """

    def whole(found: re.Match[str]) -> str:
        return instead(found[0])

    def named(found: re.Match[str]) -> str:
        quote, name, colon, opening, value = found.groups()
        shown = instead(value) if is_secret(name, value) else value
        return f"{quote}{name}{quote}{colon}{opening}{shown}{opening}"

    if _SIGN.search(text):  # of anything that the long pattern is for
        text = _ANY.sub(whole, text)
    if '"' in text or "'" in text:
        text = _PROPERTY.sub(named, text)
    addresses = _addresses(ours.usernames)
    return addresses.sub(whole, text) if addresses and "@" in text else text


def _below(path: str, step: str) -> str:
    return path + step[:80] if len(path) < 400 else path


def made_up(usernames: Collection[str], values: Collection[str], ids: Collection[str]) -> Ours:
    """Return what a run must see nowhere: of all it made up, what is long enough, and is not sent to everybody anyway.

    Some servers keep the user's id in a cookie, or have people log in by their address; those are no secrets.
    """
    public = {*ids, *usernames}
    return Ours(
        frozenset(value for value in values if len(value) >= _LEAST and value not in public),
        frozenset(name for name in usernames if "@" not in name and len(name) >= _LEAST),
    )
