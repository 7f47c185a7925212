"""The buttons of the page: each is an act of a director, which makes something happen to the client."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.text.printable import one_line, sentence_of


class Director(Protocol):
    """What makes things happen to a client."""

    @property
    def acts(self) -> Mapping[str, Callable[[], Awaitable[str]]]:
        """The acts by name, such as ``cut-off``, in the order of their buttons.

        Each returns one sentence on what it did, or raises `Unjudged` or `TargetFault` with one on why it cannot be
        done now. The first line of its docstring explains it.
        """


def buttons(director: Director | None) -> list[dict[str, str]]:
    """Return what the page needs for its buttons: name, label, explanation."""
    acts = director.acts if director else {}
    return [
        {"name": name, "label": name.replace("-", " ").capitalize(), "explains": _first_line(act)}
        for name, act in acts.items()
    ]


async def carry_out(director: Director | None, name: str) -> web.Response:
    """Carry out an act; the answer is a sentence on what became of it: 404 for no act of that name, 409 for not now."""
    act = director.acts.get(name) if director else None
    if act is None:
        return web.Response(status=404, text="There is no such act.")
    try:
        return web.Response(text=one_line(await act()))
    except (Unjudged, TargetFault) as why:
        return web.Response(status=409, text=one_line(str(why)))
    except Exception as error:  # a fault of an act: said on the page, while the tap goes on
        return web.Response(status=500, text=f"The suite itself failed while it acted: {sentence_of(error)}")


def _first_line(act: Callable[[], Awaitable[str]]) -> str:
    return (inspect.getdoc(act) or "").partition("\n")[0]
