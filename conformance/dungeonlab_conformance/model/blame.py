"""Which requirement is broken by an answer that must not come, or by a message that never came. Pure."""

from __future__ import annotations

from collections.abc import Collection

from dungeonlab_conformance.model.world import Tab, World
from dungeonlab_conformance.record.observation import Request
from dungeonlab_spec import Catalogue

_RIGHTS = ("PERMISSION_DENIED", "SESSION_NOT_FOUND")
_REFUSED = "join/failed-switch-changes-nothing"
_PASTS = {  # what a tab that is in the room did before, and the requirement by which it hears and acts all the same
    "left and joined again": "join/member-admitted",
    "switched": "join/member-admitted",
    "joined twice": "join/repeated-join-is-harmless",
    "taken in again": "join/taken-in-again-admitted",
    "was refused another session": _REFUSED,
    "reconnected": "join/rejoin-after-reconnect",
}
_TABS = "join/tabs-are-independent"
_KIN = (  # areas whose requirements are broken by the same faults, seen from another side
    {"rooms", "presence", "join", "order", "names", "broadcasts"},  # who hears
    {"auth", "authorization", "join", "direct", "tokens"},  # who may
    {"tokens", "payloads", "chat", "direct", "broadcasts", "authorization"},  # what is kept
)
_EVERYWHERE = {"acks", "connect", "http"}  # what is broken there shows in all other areas


def are_kin(one: str, other: str) -> bool:
    """Whether what breaks one requirement may well be the fault by which another one seems to be broken."""
    areas = {one.partition("/")[0], other.partition("/")[0]}
    return bool(areas & _EVERYWHERE) or any(areas <= group for group in _KIN)


def judged_for(requirement: str, event: str) -> tuple[str, str | None] | None:
    """Return a requirement, with the event if it is judged per event; None if it is not judged for this one."""
    catalogue = Catalogue.load()
    if requirement not in catalogue.requirements:
        return None
    if catalogue.requirements[requirement].each is None:
        return requirement, None
    return (requirement, event) if catalogue.is_judged_for(requirement, event) else None


def wrongly_refused(world: World, tab: Tab, request: Request, code: str | None) -> str:
    """Return what is broken by refusing, with a code, what somebody certainly may do."""
    body = request.args[0]
    if code == "VALIDATION_ERROR" or code is None:
        return "payloads/valid-accepted"
    if request.event == "get-user-data":
        return "direct/own-profile" if body.get("userId", tab.user) == tab.user else "direct/shared-session-profile"
    session = world.sessions.get(str(body.get("sessionId")))
    master = session is not None and session.master == tab.user
    if master and code in _RIGHTS and not tab.past and request.event != "join-session":
        return "join/game-master-admitted"
    if request.event == "join-session":
        return _not_admitted(world, tab, session.id if session else "", master=master)
    if code == "PERMISSION_DENIED" and not master and _was_closed(world, tab):
        return "join/disconnect-keeps-membership"
    if code == "TOKEN_NOT_FOUND" and (token := world.token(body)) is not None:
        catalogue = Catalogue.load()
        if ending := [rule for rule, event in token.suspects if catalogue[event].effect == "removes-token"]:
            return ending[-1]
        return "tokens/only-deletion-ends-it" if token.touched else "tokens/create-then-others-can-move"
    if code == "NOT_JOINED" and tab.disturbed:
        return _TABS
    if code == "NOT_JOINED" and tab.past in _PASTS:
        return _PASTS[tab.past]
    return "authorization/game-master-allowed" if master else "authorization/any-member-allowed"


def removed_without_reason(world: World, tab: Tab, session: str, *, refused_elsewhere: bool) -> str:
    """Return what is broken by taking a tab out of its room; whether its user was refused a session at that time."""
    if refused_elsewhere:
        return _REFUSED
    beside = any(other is not tab and other.room == session for other in world.tabs_of(tab.user))  # or came just then
    return _TABS if tab.disturbed or beside else "presence/right-audience"


def _not_admitted(world: World, tab: Tab, session: str, *, master: bool) -> str:
    if tab.user in world.sessions[session].back:
        return "join/taken-in-again-admitted"
    if master:
        return "join/game-master-admitted"
    return "join/disconnect-keeps-membership" if _was_closed(world, tab) else "join/member-admitted"


def _was_closed(world: World, tab: Tab) -> bool:
    """Whether an earlier connection of a tab's user was in a room, and was closed."""
    return any(each.user == tab.user and not each.is_open and each.past for each in world.tabs.values())


def unheard(
    world: World,
    sender: Tab | None,
    listener: Tab,
    heard_by: Collection[Tab],
    deaf: Collection[Tab],
    encounter_is_new: bool,
) -> str:
    """Return what is broken if a listener who certainly is in the room never hears what others hear.

    `heard_by` are the tabs that heard the same, `deaf` those that did not and had to; `encounter_is_new` if it was
    opened after the listener had joined.
    """
    if listener.transport != "websocket" and not listener.has_heard and _all_others_by_websocket(sender, heard_by):
        return "rooms/every-transport-hears"
    if sender is not None and sender.user == listener.user:
        return "rooms/own-other-connection-hears"
    if not heard_by:
        return "rooms/every-other-member-hears-once"
    if listener.disturbed:
        return "rooms/every-tab-hears" if listener.disturbed == "joined" else _TABS
    if encounter_is_new:
        return "rooms/no-encounter-rooms"
    if listener.past in _PASTS:
        return _PASTS[listener.past]
    users = {tab.user for tab in heard_by}
    if listener.user in users:
        all_by_some_tab = all(tab.user in users for tab in deaf)
        return "rooms/every-tab-hears" if all_by_some_tab else "rooms/every-other-member-hears-once"
    session = world.sessions.get(listener.room or "")
    if session is not None and session.master == listener.user:
        return "rooms/game-master-hears"
    return "rooms/every-other-member-hears-once"


def _all_others_by_websocket(sender: Tab | None, heard_by: Collection[Tab]) -> bool:
    tabs = [*heard_by, *([] if sender is None else [sender])]
    return bool(heard_by) and all(tab.transport == "websocket" for tab in tabs)
