"""What a server may answer: the questions of section 7, in their order, put to the world. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dungeonlab_conformance.model.world import Session, Tab, Token, World
from dungeonlab_conformance.record.acknowledgement import LIMITED
from dungeonlab_conformance.record.marks import may_be_repeated
from dungeonlab_conformance.record.observation import Request
from dungeonlab_spec import Catalogue, Event, accepts

_HIDDEN = frozenset({"SESSION_NOT_FOUND", "PERMISSION_DENIED"})  # from a server that does not reveal which ids exist
_ALWAYS = frozenset({LIMITED})
_REMEMBERED = 4_096  # requests, each of which is asked about at several moments


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a request is to be refused: with which codes, and which requirement is broken if it is accepted.

    One that is not `firm` need not be made: the server was free to choose, or it is not known yet. One that `should` be
    made is made by a server that has made it before, in the same circumstances.
    """

    why: str
    codes: frozenset[str]
    requirement: str
    firm: bool = True
    should: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """The answers that a server may give: acceptance, a refusal with one of some codes, or both.

    `objection` is the one that demands a refusal, if one does. `waived` is the only one that a server disregards which
    accepts, if that is one that it should make. `anything` says that nothing can be concluded.
    """

    acceptance: bool
    codes: frozenset[str]
    objection: Objection | None = None
    anything: bool = False
    waived: Objection | None = None

    def __or__(self, other: Allowed) -> Allowed:
        """Return what is allowed if the world was as at one moment or as at another."""
        accept = self.acceptance or other.acceptance
        objection = None if accept else self.objection or other.objection
        waived = self.waived if other.waived else None
        return Allowed(accept, self.codes | other.codes, objection, self.anything or other.anything, waived)


def allowed(world: World, tab: Tab, request: Request) -> Allowed:
    """Return how a server may answer a request that a tab sends now."""
    if not tab.logged_in:
        return Allowed(acceptance=True, codes=_ALWAYS, anything=True)
    codes, waived = set(_ALWAYS), None
    refuses = world.unjoined(tab, request.named_session or "") in world.refused_unjoined
    for objection in objections(world, tab, request):
        if waived is None or not refuses:
            codes |= objection.codes
        if objection.firm and objection.should:
            waived = objection
        elif objection.firm:
            first = waived if waived and refuses else objection
            return Allowed(acceptance=False, codes=frozenset(codes), objection=first)
    if waived and refuses:
        return Allowed(acceptance=False, codes=frozenset(codes), objection=waived, waived=waived)
    large = request.legal and request.is_large
    return Allowed(acceptance=True, codes=frozenset(codes), anything=large, waived=waived)


def objections(world: World, tab: Tab, request: Request) -> Iterator[Objection]:
    """Yield each reason to refuse a request, in the order of judging, up to the first that is firm."""
    event = Catalogue.load()[request.event]
    body = request.args[0] if request.args else None
    if not is_legal(request):
        blamed = request.requirement or "payloads/bound-broken"
        yield Objection("its payload is invalid", frozenset({"VALIDATION_ERROR"}), blamed)
        return
    assert isinstance(body, Mapping)
    if "membership" not in event.needs:
        yield from _profile(world, tab, body)
        return
    session = world.sessions.get(str(body["sessionId"]))
    yield from _in_session(event, session, world, tab, request)
    if "joined" in event.needs:
        yield from _joined(event, session, tab)
    if "encounter" in event.needs and session is not None:
        yield from things(event, session, world, request, body)
    if event.name == "validate-action" and session is not None:
        yield from _about_the_action(session, world, body["action"])


def _about_the_action(session: Session, world: World, action: Mapping[str, Any]) -> Iterator[Objection]:
    """Yield what a server may say of an action by refusing the question of whether it may be done."""
    event, payload = Catalogue.load()[action["type"]], action["payload"]
    if isinstance(payload, Mapping) and payload.get("sessionId") != session.id:
        yield Objection("its action does not name its session", frozenset({"VALIDATION_ERROR"}), "", firm=False)
    request = Request(event.name, (payload,), None, None)
    if not is_legal(request):
        return
    for objection in things(event, session, world, request, payload):
        yield replace(objection, firm=False)


@lru_cache(maxsize=_REMEMBERED)
def is_legal(request: Request) -> bool:
    """Whether a request carries one argument that its schema accepts."""
    event = Catalogue.load()[request.event]
    return event.request is not None and len(request.args) == 1 and accepts(event.request, request.args[0])


def _profile(world: World, tab: Tab, body: Mapping[str, Any]) -> Iterator[Objection]:
    asked = body.get("userId", tab.user)
    if asked == tab.user:
        return
    if world.share(asked, tab.user):
        if any(session.enrols for session in world.sessions.values()):
            yield Objection("one may be no member yet", frozenset({"PERMISSION_DENIED"}), "", firm=False)
        return
    firm = not world.may_share(asked, tab.user)
    once = frozenset((str(asked), str(tab.user))) in world.shared_once
    blamed = "direct/shares-no-ended-session" if once else "direct/strangers-profile-refused"
    why = "the two have no session in common any more" if once else "the two have no session in common"
    yield Objection(why, frozenset({"PERMISSION_DENIED"}), blamed, firm)


def _in_session(event: Event, session: Session | None, world: World, tab: Tab, request: Request) -> Iterator[Objection]:
    joining = "joined" not in event.needs
    if session is None or session.ended:
        ended = session is not None
        blamed = {
            (True, True): "join/deleted-session-refused",
            (True, False): "join/unknown-session-refused",
            (False, True): "authorization/deleted-session-refused",
            (False, False): "authorization/outsider-refused",
        }[joining, ended]
        why = "the session was deleted" if ended else "there is no such session"
        yield Objection(why, _HIDDEN, request.requirement or blamed)
    elif not session.has(tab.user):
        yield _no_member(session, world, tab, joining=joining)
    elif session.enrols and not tab.is_in(session.id):
        yield Objection(f"{tab.name} may be no member yet", frozenset({"PERMISSION_DENIED"}), "", firm=False)


def _no_member(session: Session, world: World, tab: Tab, *, joining: bool) -> Objection:
    codes = frozenset({"PERMISSION_DENIED"})
    if session.may_have(tab.user) or (joining and session.enrols):
        return Objection(f"{tab.name} may have become a member by joining, or not", codes, "", firm=False)
    if tab.user in session.removed:
        blamed = "join/removed-member-refused" if joining else "authorization/checked-on-every-operation"
        return Objection(f"{tab.name}'s membership was ended", codes, blamed)
    elsewhere = any(other.has(tab.user) for other in world.sessions.values())
    blamed = "member-of-another-session-refused" if elsewhere else "outsider-refused"
    blamed = "join/outsider-refused" if joining else f"authorization/{blamed}"
    return Objection(f"{tab.name} is no member of the session", codes, blamed)


def _joined(event: Event, session: Session | None, tab: Tab) -> Iterator[Objection]:
    if session is None or tab.is_in(session.id):
        return
    firm = tab.sure and not tab.may_move and event.name != "leave-session"
    codes = frozenset({"NOT_JOINED"})
    why = f"{tab.name}'s connection has not joined"
    yield Objection(why, codes, "authorization/not-joined-refused", firm, should=True)


def things(
    event: Event, session: Session, world: World, request: Request, body: Mapping[str, Any]
) -> Iterator[Objection]:
    """Yield what is objected to the encounter and the token that a token event names."""
    encounter = str(body["encounterId"])
    homes = world.encounters.get(encounter, set())
    if session.id not in homes:
        foreign = bool(homes)
        codes = frozenset({"ENCOUNTER_NOT_FOUND", *(["PERMISSION_DENIED"] if foreign else [])})
        blamed = "authorization/foreign-encounter-refused" if foreign else "tokens/unknown-encounter-refused"
        why = "the encounter is one of another session" if foreign else "there is no such encounter"
        yield Objection(why, codes, blamed if foreign else request.requirement or blamed)
    elif "token" in event.needs:
        if (session.id, encounter, str(body["tokenId"])) in world.given_again:
            codes = frozenset({"TOKEN_NOT_FOUND", "ENCOUNTER_NOT_FOUND", "PERMISSION_DENIED"})
            yield Objection("the token may be another one", codes, "", firm=False)
            return
        surely = not world.unnamed[session.id, encounter]
        yield from _token(world.token(body), session, encounter, request, surely=surely)


def _token(
    token: Token | None, session: Session, encounter: str, request: Request, *, surely: bool
) -> Iterator[Objection]:
    """Yield what is objected to a token; `surely` unless one of which the id is not known may be meant as well."""
    missing = frozenset({"TOKEN_NOT_FOUND"})
    foreign = {"ENCOUNTER_NOT_FOUND", "PERMISSION_DENIED"}
    elsewhere = foreign if token is not None and may_be_repeated(token.id) else set()
    if token is None:
        yield Objection("there is no such token", missing, request.requirement or "tokens/unknown-token-refused")
    elif token.session != session.id:
        codes = missing | foreign
        yield Objection("the token is one of another session", codes, "authorization/foreign-token-refused", surely)
    elif token.encounter != encounter:
        why = "the token is one of another encounter"
        yield Objection(why, missing | elsewhere, "tokens/unknown-token-refused", surely and not token.unsure)
    elif token.ended or token.unsure:
        yield Objection(
            "the token was deleted", missing | elsewhere, "tokens/delete-ends-it", surely and not token.unsure
        )
