"""A Python class for what a target file cannot say, named in the file as ``adapter = "my_pkg.my_mod:MyTarget"``.

    from dungeonlab_conformance.adapter import Adapter

    class MyTarget(Adapter):
        async def open_session(self, host, label):
            return {"session": await my_own_client.create(label, cookies=host.cookies)}

What the class does not define is done as the file says. If a method raises an exception, ends the process, or returns
another value than described below, the stage could not be set: exit code 3, and nothing counts against the server.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from dungeonlab_conformance.record.arguments import body, leaves
from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.text.printable import one_line, sentence_of, shortened

if TYPE_CHECKING:
    from dungeonlab_conformance.target.identity import Account, Identity
    from dungeonlab_conformance.target.target import Target


class Adapter:
    """What your own code may do to a target. Override what you need. Each run makes one instance.

    An `Identity` has `name` (as in ``[actors]``), `user` (the server's id), `cookies` (by name) and `variables`
    (texts of your own, kept with it).
    """

    def __init__(self, target: Target) -> None:
        """Keep the target: `target.base`, `target.run` (the run's name, which all you make should carry)."""
        self.target = target

    async def log_in(self, identity: Identity, account: Account | None) -> None:
        """Log a user in: fill in `identity.user` and `identity.cookies`.

        `account` is the entry of ``[actors]`` for `identity.name`; None if there is no entry, and an account must be
        made. This method is called again for the same name when a second, independent login is needed, with the
        `variables` that the first login left.
        """
        raise NotImplementedError

    async def log_out(self, identity: Identity) -> None:
        """End one login. Its cookie must not be valid afterwards."""
        raise NotImplementedError

    async def open_session(self, host: Identity, label: str) -> Mapping[str, str]:
        """Open a game session with `host` as game master and no other member; return ``{"session": its id, ...}``.

        Everything returned is passed to the later methods as `place`. With an ``"encounter"``, none is opened.
        """
        raise NotImplementedError

    async def close_session(self, host: Identity, session: str, place: Mapping[str, str]) -> None:
        """Delete a session with everything in it."""
        raise NotImplementedError

    async def add_member(self, host: Identity, session: str, member: Identity, place: Mapping[str, str]) -> None:
        """Make a user a participant."""
        raise NotImplementedError

    async def remove_member(self, host: Identity, session: str, member: Identity, place: Mapping[str, str]) -> None:
        """End a user's membership."""
        raise NotImplementedError

    async def open_encounter(self, host: Identity, session: str, label: str, place: Mapping[str, str]) -> str:
        """Open an encounter in a session; return its id."""
        raise NotImplementedError

    async def close_encounter(self, host: Identity, session: str, encounter: str, place: Mapping[str, str]) -> None:
        """Delete an encounter; only called for sessions that are kept."""
        raise NotImplementedError

    async def open_token(
        self, host: Identity, session: str, encounter: str, label: str, place: Mapping[str, str]
    ) -> str:
        """Make a token over HTTP, where no user can make one over the socket; return its id."""
        raise NotImplementedError

    # -- what goes over the wire: plain functions, which must not wait ----------------------------------

    def encode(self, event: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of a request as your server takes them, from those that the protocol has.

        `event` is the protocol's name. What ``[dialect]`` says comes after this. `args` may be wrong on purpose; what
        is wrong must stay so.
        """
        raise NotImplementedError

    def decode(self, event: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of an event that your server sent as the protocol would have them.

        ``[dialect]`` has been applied: `event` is the protocol's name, if it knows the event.
        """
        raise NotImplementedError

    def decode_answer(self, event: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments of a request's acknowledgement as the protocol would have them, after ``[dialect]``."""
        raise NotImplementedError

    async def close(self) -> None:
        """Release what this instance holds; called once, at the end of the run."""


def defines(adapter: Adapter | type[Adapter] | None, act: str) -> bool:
    """Whether an adapter, or the class of one, defines an act itself."""
    kind = adapter if isinstance(adapter, type) else type(adapter)
    return adapter is not None and getattr(kind, act) is not getattr(Adapter, act)


# -- what came of it ---------------------------------------------------------------------------------


@asynccontextmanager
async def foreign_code(act: str, limit: float, secrets: Secrets) -> AsyncIterator[None]:
    """Run an adapter's code, for so many seconds at most. Raises `Unjudged` whatever that raises.

    It may even ask Python to exit, or say that it was cancelled: that it was not is known here.
    """
    try:
        async with asyncio.timeout(limit):
            yield
    except (Unjudged, TargetFault, GeneratorExit):
        raise
    except TimeoutError:
        raise _failed(act, f"took longer than {limit:.0f} s, or gave up waiting") from None
    except BaseException as error:  # neither a fault of the suite nor a finding about the server
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise _failed(act, f"raised {secrets.redact(sentence_of(error))}") from None


def _failed(act: str, what: str) -> Unjudged:
    return Unjudged(f"the stage could not be set: the adapter's {act} {what}")


def _returned(act: str, found: object, wanted: str) -> Unjudged:
    if inspect.iscoroutine(found):
        found.close()
        return _failed(act, f"returned a coroutine, and should return {wanted}; await it")
    return _failed(act, f"returned {_kind(found)}, and should return {wanted}")


def _kind(found: object) -> str:
    return "nothing" if found is None else f"what is of type {type(found).__name__}"


def translated(
    act: str, code: Callable[..., object], event: str, args: tuple[Any, ...], secrets: Secrets
) -> tuple[Any, ...]:
    """Return what an adapter's code makes of arguments. Raises `Unjudged` whatever that raises."""
    try:
        found = code(event, args)
    except BaseException as error:  # as above
        raise _failed(act, f"raised {secrets.redact(sentence_of(error))}") from None
    if not isinstance(found, tuple | list):
        raise _returned(act, found, "a tuple of arguments")
    for leaf in leaves(found):
        if leaf is not None and not isinstance(leaf, str | int | float | bytes):
            raise _returned(act, leaf, "what JSON has")
    return tuple(found)


def awaitable(act: str, found: object) -> Awaitable[object]:
    """Return what a method returned, to be awaited. Raises `Unjudged` if it is no ``async def``."""
    if not inspect.isawaitable(found):
        raise _failed(act, "is no coroutine; define it with async def")
    return found


def text(act: str, found: object, wanted: str) -> str:
    """Return a text that is not empty, which an adapter returned. Raises `Unjudged`."""
    if not isinstance(found, str) or not found:
        raise _returned(act, found, wanted)
    return found


def texts(act: str, found: object, wanted: str, *needed: str) -> dict[str, str]:
    """Return a mapping of texts to texts that has the keys `needed`. Raises `Unjudged`."""
    if not isinstance(found, Mapping) or not all(found.get(key) for key in needed):
        raise _returned(act, found, wanted)
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise _failed(act, f"left {_kind(value)} under {one_line(shortened(body((key,))[0], 80))}; write a text")
    return dict(found)


def complete(identity: Identity) -> None:
    """Make sure that an adapter left an identity as it should be after logging it in. Raises `Unjudged`."""
    act = "log_in"
    if identity.user:
        text(act, identity.user, "nothing, and leave a text in identity.user")
    identity.cookies = texts(act, identity.cookies, "nothing, and leave a dict of texts in identity.cookies")
    wanted = "nothing, and leave in identity.variables what is there"
    texts(act, identity.variables, wanted, "username")
