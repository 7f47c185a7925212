"""The conditions under which plays are tried: those of whole runs, habits of our own, and a peer of another stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from dungeonlab_conformance.plays.acts import Play
from dungeonlab_conformance.target.limits import Limits
from tests.false_alarms.conditions import CONDITIONS, Condition
from tests.false_alarms.disturbance import beside
from tests.other_stacks import judge as node
from tests.plays.habits import HABITS, SHOULD
from tests.plays.playing import Outcomes, play_on
from tests.serving import served

NODE = "node"  # the peer of another stack
KNOWN: Mapping[str, Condition] = {**CONDITIONS, **HABITS, NODE: Condition("the Node.js server")}
NAMES = tuple(KNOWN)


def play_under(name: str, plays: Sequence[Play], transport: str | None = None, lanes: int = 4) -> Outcomes:
    """Carry plays out on the server of a condition, over the condition's usual transport unless another is named."""
    condition = KNOWN[name]
    with ExitStack() as stack:
        url = stack.enter_context(_serving(name, condition))
        if condition.disturbance:
            stack.enter_context(beside(condition.disturbance, url))
        target = condition.target(
            url,
            transport=transport or condition.transport,
            transports=condition.transports,
            limits=Limits(condition.scale),
        )
        came = play_on(target, plays, lanes)
    tolerated = SHOULD.get(name, frozenset())
    came.findings = [line for line in came.findings if not any(f" {each} " in line for each in tolerated)]
    return came


@contextmanager
def _serving(name: str, condition: Condition) -> Iterator[str]:
    with node.served() if name == NODE else served(condition.variant) as url:
        yield url
