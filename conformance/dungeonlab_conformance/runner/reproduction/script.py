"""From a finding to the statements that play it again and decide whether its fault is there. Pure."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from typing import Any, Literal

from dungeonlab_conformance.record.line import TranscriptLine
from dungeonlab_conformance.record.secrets.leaks import HIDDEN
from dungeonlab_conformance.results.verdict import Finding
from dungeonlab_conformance.runner.diagnostics.turns import answers, turns
from dungeonlab_conformance.runner.reproduction.decision import SPOKEN, Decision, at, decision, payload
from dungeonlab_conformance.runner.reproduction.named_ids import NamedIds, telling, texts
from dungeonlab_conformance.runner.reproduction.statements import (
    ABSENT,
    ANY,
    Answers,
    Arranges,
    Connects,
    Decides,
    Ends,
    Enrols,
    Hears,
    Irreproducible,
    Learns,
    Marks,
    Sends,
    Statement,
    Variable,
)
from dungeonlab_conformance.target.dialect.translation import PLAIN, Dialect
from dungeonlab_conformance.target.roles import ROLES

_TAKEN = {  # names that the play itself uses, or one of the languages
    *("stage", "play", "the_id", "theid", "ids", "any", "absent", "process", "console", "fetch", "io", "json", "os"),
    *("const", "let", "var", "new", "this", "function", "delete", "typeof", "void", "switch", "case", "do", "catch"),
    *("default", "enum", "export", "extends", "super", "throw", "debugger", "instanceof", "null", "true", "false"),
    *("interface", "package", "private", "protected", "public", "static", "implements", "eval", "arguments"),
    *("undefined", "self", "asyncio", "re", "ssl", "sys", "secrets", "quote", "run", "sleep", "look", "same", "holds"),
    *("say", "shown", "fill", "comes", "silence", "before"),
}
UNSEEN = {  # checks whose scenes do over HTTP what no line of a transcript shows: they log out, take in, open, delete
    *("a_logged_out_cookie_is_refused", "logging_out_ends_the_connection", "a_membership_ends_and_begins_again"),
    "who_is_taken_in_again_hears_on_the_same_connection",
    *("an_old_cookie_stays_dead", "no_namespace_takes_an_old_cookie", "a_deleted_session_is_joined_by_nobody"),
    "a_cookie_that_was_logged_out_a_while_ago_is_refused",
    *("nothing_is_done_in_a_deleted_session", "what_has_ended_is_not_shared"),
    *("a_session_that_ends_takes_nothing_along", "an_encounter_of_a_deleted_session_is_refused"),
    *("a_session_that_ends_ends_no_other_membership", "the_game_master_of_another_session_is_not_admitted"),
    *(
        "the_game_master_of_another_session_is_admitted",
        "a_game_master_who_plays_hears_once",
        "who_is_removed_hears_by_no_login",
        "what_ends_in_one_session_leaves_another_one_shared",
        "the_profile_of_somebody_who_has_logged_out",
        "a_game_master_who_played_is_admitted",
        "a_later_login_takes_the_earlier_one_along",
        "a_refusal_names_the_code",
        "a_refusal_says_why",
        "the_profile_of_a_game_master_who_played",
    ),
}
_PLAYED = ("sends", "tells", "connects", "is refused", "disconnects", "is removed", "is answered", "hears", "arranges")


def statements(finding: Finding, dialect: Dialect = PLAIN, *, at_once: bool = False) -> list[Statement]:
    """Return what plays a finding again and decides whether its fault is there. Raises `Irreproducible`.

    The transcript holds what went over the wire, the finding speaks of it in the protocol's words; `dialect` says how
    they differ. `at_once` is as for replaying.
    """
    if finding.left_out:
        raise Irreproducible(f"the first {finding.left_out} lines of what was played were not kept in the result")
    if not finding.transcript:
        raise Irreproducible("no transcript of it was kept")
    if finding.check in UNSEEN:
        raise Irreproducible("its scene does something over HTTP that the transcript does not show")
    decided = decision(finding, dialect.events)
    lines = _Lines(finding, decided, at_once)
    found = list(lines.statements())
    return [*found, _Conclusion(lines, dialect).statement()]


class _Lines:
    """The lines of a transcript up to what decides, as statements."""

    def __init__(self, finding: Finding, decided: Decision, at_once: bool) -> None:
        self.finding, self.decided, self.lines = finding, decided, finding.transcript
        self.ids = NamedIds(finding)
        self.answers = answers(self.lines)
        self.variables: dict[int, str] = {}  # of connections, by their numbers in the record
        self.pending: dict[int, str] = {}  # of requests, by their places
        self.said: dict[int, str] = {}  # of messages that are looked at later, by their places
        self._names: set[str] = _TAKEN | set(keyword.kwlist)
        self._present: set[str] = set()  # accounts that have become members where they belong
        self._old_cookies = {
            line.connection for line in self.lines if (line.act, line.event) == ("arranges", "handshake")
        }
        order = range(len(self.lines)) if at_once else turns(self.lines)
        self._places = [p for p in order if p <= decided.place and self.lines[p].act in _PLAYED]
        taught = (p for p in self._places if decided.kind != "silent" or not self.is_decisive(self.lines[p]))
        self._handed_out = self.ids.handed_out(self.lines, taught)

    def statements(self) -> Iterator[Statement]:
        """Yield a statement for each line, of what is heard after the last act only for what decides."""
        acts = [n for n, place in enumerate(self._places) if self.lines[place].act not in SPOKEN]
        last = acts[-1] if acts else -1
        for n, place in enumerate(self._places):
            line = self.lines[place]
            decides = self.is_decisive(line) or self._is_looked_at(place)
            if n <= last or line.act == "is answered" or decides:
                yield from self._of(place, line)
        asked = self.decided.request
        if self.decided.kind == "acknowledged" and asked in self.pending:
            self.said[asked] = self._name("answer")
            yield Answers(self.pending[asked], True, self.said[asked])

    def _of(self, place: int, line: TranscriptLine) -> Iterator[Statement]:
        if line.act == "arranges":
            yield from self._arranges(line)
            return
        if line.connection == 0:
            raise Irreproducible(f"{line.actor} {line.act} {line.event}, which no client library does")
        match line.act:
            case "connects" | "is refused":
                yield self._connects(place, line)
            case "sends" | "tells":
                yield from self._sends(place, line)
            case "is answered":
                yield from self._answered(place, line)
            case "hears":
                yield from self._hears(place, line)
            case "disconnects":
                yield Ends(self.connection(line))
            case "is removed":
                yield Arranges("remove", self._account(line), "session")

    def _arranges(self, line: TranscriptLine) -> Iterator[Statement]:
        """Yield what is done over HTTP; that the stage is set so from the beginning is no act."""
        fact: Any = next(iter(payload(line)), None)
        if not isinstance(fact, dict):
            raise Irreproducible(f"what {line.actor} {line.act} cannot be read back from the result")
        session, account = self.ids.name_of(str(fact.get("session"))), self.ids.name_of(str(fact.get("user")))
        if line.event != "handshake" and (session or "session") not in ("session", "other-session"):
            raise Irreproducible(f"what {line.actor} {line.act} is about another session than those of the stage")
        match line.event:
            case "session.open":
                yield from self._enrols(fact.get("members"))
            case "encounter.open" if fact.get("encounter") not in self.ids:
                opened = self.ids.learn(str(fact.get("encounter")), ("encounterId",))
                yield Arranges("open_encounter", session=session, id=opened)
            case "membership.add" | "membership.remove" if account in ROLES:
                self._present.add(account)
                yield Arranges("add" if line.event == "membership.add" else "remove", account, session)
            case "session.close":
                yield Arranges("delete", session=session)
            case "logout" if account in ROLES:
                yield Arranges("log_out", account)
            case "handshake" | "encounter.open":
                return
            case _:
                raise Irreproducible(f"{line.actor} {line.act} {line.event}, which no reproduction does")

    def _account(self, line: TranscriptLine) -> str:
        account = self.finding.cast.get(line.actor, line.actor)
        if account is None:
            raise Irreproducible(f"{line.actor} {line.act}, and has no account")
        return account

    def _connects(self, place: int, line: TranscriptLine) -> Statement:
        headers: Any = (next(iter(payload(line)), {}) or {}) if line.act == "connects" else {}
        if not isinstance(headers, dict) or not all(isinstance(text, str) for text in headers.values()):
            raise Irreproducible(f"with which headers {line.actor} connects cannot be read back from the result")
        if HIDDEN in str(headers):
            raise Irreproducible(f"{line.actor} connects with a secret, which the result does not hold")
        account = self.finding.cast.get(line.actor, line.actor)
        self._present.add(account or "")
        decides = place == self.decided.place and self.decided.kind in ("connected", "unconnected")
        variable = self.variables[line.connection] = self._name(line.actor)
        transport = line.event if line.event in ("polling", "websocket", "upgrade") else ""
        may_fail, old = decides or line.act == "is refused", line.connection in self._old_cookies
        return Connects(variable, line.actor, account, transport, headers, may_fail or old, old)

    def _sends(self, place: int, line: TranscriptLine) -> Iterator[Statement]:
        if line.cut:
            raise Irreproducible(f"the {line.event} that {line.actor} {line.act} is too long to be kept whole")
        if HIDDEN in line.body:
            raise Irreproducible(f"the {line.event} that {line.actor} {line.act} holds a secret, which no result does")
        args = payload(line)
        yield from self._enrols(args)
        if self.decided.kind == "heard" and place == self.decided.request:
            yield Marks("before", self.listener())
        how: Literal["tell", "ask"] = "tell"
        variable = ""
        if line.act == "sends":
            how, variable = "ask", self._name(f"asked {line.event}")
            self.pending[place] = variable
        yield Sends(self.connection(line), line.event, tuple(self.ids.now(args)), how, variable)

    def _enrols(self, args: Any) -> Iterator[Statement]:
        """Yield that who is mentioned before connecting becomes a member where the account belongs."""
        for text in texts(args):
            name = self.ids.name_of(text)
            if name in ROLES and name not in self._present:
                self._present.add(name)
                yield Enrols(name)

    def _answered(self, place: int, line: TranscriptLine) -> Iterator[Statement]:
        request = next((asked for asked, answer in self.answers.items() if answer == place), None)
        if request is None or request not in self.pending:
            return
        decides = request == self.decided.request and self.decided.kind in ("accepted", "refused", "answered")
        if decides or (place == self.decided.place and self.decided.kind == "said"):
            return
        body = None if line.cut else next(iter(payload(line)), None)
        accepted = isinstance(body, dict) and body.get("success") is True
        silent = self.decided.kind == "silent" and self.lines[self.decided.place].connection == line.connection
        needed = accepted and not silent and not self._is_looked_at(place)
        learned = self._handed_out.get(place, {})
        variable = self.said[place] = self._name("answer") if learned or self._is_looked_at(place) else ""
        yield Answers(self.pending[request], needed, variable)
        yield from self._learns(variable, place)

    def _hears(self, place: int, line: TranscriptLine) -> Iterator[Statement]:
        decides = self._is_looked_at(place)
        if not decides and (line.connection not in self.variables or not self._is_own(line)):
            return  # it came while the connection was opening, or from another scene
        if (self.decided.kind == "silent" and self.is_decisive(line)) or (self.decided.kind == "said" and decides):
            return
        learned = self._handed_out.get(place, {})
        variable = self.said[place] = self._name("heard") if learned or decides else ""
        yield Hears(self.connection(line), line.event, variable)
        yield from self._learns(variable, place)

    def _is_own(self, line: TranscriptLine) -> bool:
        """Whether what was heard is about this scene: it names an id of it, or says what was sent in it."""
        said = set() if line.cut else set(telling(payload(line)))
        return not said or any(leaf in self.ids or leaf in self.ids.telling for leaf in said)

    def _learns(self, variable: str, place: int) -> Iterator[Statement]:
        for text, path in self._handed_out.get(place, {}).items():
            yield Learns(self.ids.learn(text, path), variable, path)

    # -- what decides --------------------------------------------------------------------------------

    def is_decisive(self, line: TranscriptLine) -> bool:
        """Whether a line is heard on the same connection and under the same name as the one that decides."""
        decisive = self.lines[self.decided.place]
        key = (decisive.act, decisive.connection, decisive.event)
        return decisive.act == "hears" and (line.act, line.connection, line.event) == key

    def _is_looked_at(self, place: int) -> bool:
        """Whether a value in the message at a place decides."""
        if self.decided.kind not in ("value", "members", "agreement", "acknowledged", "said"):
            return False
        other = self.decided.other[0] if self.decided.other else None
        return place in (self.decided.place, self.decided.said, other)

    def connection(self, line: TranscriptLine) -> str:
        """Return the variable of a line's connection."""
        if line.connection not in self.variables:
            raise Irreproducible(f"how {line.actor} connected is not in the transcript")
        return self.variables[line.connection]

    def listener(self) -> str:
        """Return the connection that is to hear, or to stay open: the last one of that name before the end."""
        end = self.decided.request if self.decided.request is not None else len(self.lines)
        numbers = [line.connection for line in self.lines[:end] if line.actor == self.decided.listener]
        known = [number for number in numbers if number in self.variables]
        if not known:
            raise Irreproducible(f"how {self.decided.listener} connected is not in the transcript")
        return self.variables[known[-1]]

    def _name(self, wanted: str) -> str:
        """Return a variable's name that is not taken."""
        plain = re.sub(r"[^a-z0-9]+", "_", wanted.lower().replace("'", "")).strip("_")[:40]
        plain = plain if re.match(r"[a-z]", plain) else f"tab_{plain}".rstrip("_")
        numbered = (f"{plain}_{number}" for number in range(2, len(self._names) + 3))
        name = plain if plain not in self._names else next(one for one in numbered if one not in self._names)
        self._names.add(name)
        return name


class _Conclusion:
    """The last statement: what decides."""

    def __init__(self, lines: _Lines, dialect: Dialect) -> None:
        self.lines, self.decided, self.ids, self.dialect = lines, lines.decided, lines.ids, dialect
        self.line = lines.lines[self.decided.place]

    def statement(self) -> Decides:
        """Return it."""
        decided = self.decided
        match decided.kind:
            case "accepted" | "refused" | "answered":
                verb = {"accepted": "must_accept", "refused": "must_refuse", "answered": "must_answer"}[decided.kind]
                return Decides(verb, (self._asked(),))
            case "said" if self.line.act == "is answered":
                return Decides("must_not_answer", (self._asked(), self.ids.recorded(payload(self.line))))
            case "said" | "silent":
                return self._silent(exactly=decided.kind == "said")
            case "members":
                return self._members()
            case "value":
                return self._value()
            case "agreement":
                return self._agreement()
            case "acknowledged":
                return self._acknowledged()
            case "heard":
                return self._heard()
            case "alive":
                return Decides("must_survive", (Variable("stage"),))
            case "open":
                return Decides("must_stay_open", (Variable(self.lines.listener()),))
            case "connected" | "unconnected":
                return Decides(f"must_be_{decided.kind}", (Variable(self.lines.connection(self.line)),))

    def _asked(self) -> Variable:
        if self.decided.request is None or self.decided.request not in self.lines.pending:
            raise Irreproducible("the request that was answered wrongly is not in the transcript")
        return Variable(self.lines.pending[self.decided.request])

    def _silent(self, *, exactly: bool) -> Decides:
        before = [other for other in self.lines.lines[: self.decided.place] if self.lines.is_decisive(other)]
        part = self.ids.recorded if exactly else self.ids.sent_part
        like = part(payload(self.line))
        most = sum(part(payload(other)) == like for other in before)
        verb = "must_not_hear_exactly" if exactly else "must_not_hear"
        listener = Variable(self.lines.connection(self.line))
        return Decides(verb, (listener, self.line.event, like, *([most] if most else [])))

    def _value(self) -> Decides:
        path = self.decided.path
        if self.line.cut:
            raise Irreproducible("the message that shows it is too long to be kept whole")
        body, name = Variable(self.lines.said[self.decided.place]), str(path[-1]) if path else ""
        if self.decided.right:
            right = [theirs for ours in self.decided.right for theirs in self._theirs(ours)]
            compared = [self.ids.recorded(each, name) for each in self.ids.now(right)]
        else:
            value = at(next(iter(payload(self.line)), None), path)
            compared = [value if value is ABSENT else self.ids.recorded(value, name)]
        if ANY in compared:
            raise Irreproducible(f"what stood at {self.lines.finding.path} is chosen anew each time")
        return Decides("must_be" if self.decided.right else "must_not_be", (body, list(path), *compared))

    def _members(self) -> Decides:
        body, master = Variable(self.lines.said[self.decided.place]), self.lines.finding.ids.get("gamemaster")
        free = [self.ids.now(master)] if master in self.ids else []
        return Decides("must_list", (body, list(self.decided.path), self.ids.now(list(self.decided.right)), free))

    def _agreement(self) -> Decides:
        one, other = self.decided.said, self.decided.other
        if one is None or other is None:
            raise Irreproducible("what was to agree is not in the transcript")
        said, (place, path) = self.lines.said, other
        return Decides("must_agree", (Variable(said[one]), list(self.decided.path), Variable(said[place]), list(path)))

    def _acknowledged(self) -> Decides:
        asked, path = self.decided.request, list(self.decided.path)
        if asked is None or asked not in self.lines.said:
            raise Irreproducible("the request whose answer was to agree is not in the transcript")
        said, answer = self.lines.said[self.decided.place], self.lines.said[asked]
        return Decides("must_agree", (Variable(said), path, Variable(answer), ["data", *path]))

    def _theirs(self, code: Any) -> list[Any]:
        """Return the server's own codes for one of the protocol."""
        return [theirs for theirs, ours in self.dialect.codes.items() if ours == code] or [code]

    def _heard(self) -> Decides:
        decided = self.decided
        assert decided.request is not None
        request = payload(self.lines.lines[decided.request])
        witness = self._witness(decided.request, set(telling(request)))
        event = self.lines.lines[decided.request].event
        event = witness.event if witness else self.dialect.broadcasts.get(event, event)
        like = self.ids.sent_part(payload(witness), request) if witness else None
        event, like = (decided.event, None) if decided.event else (event, like)
        times = () if decided.times is None else (decided.times,)
        return Decides("must_hear", (Variable(self.lines.listener()), event, like, Variable("before"), *times))

    def _witness(self, request: int, wanted: set[str | float]) -> TranscriptLine | None:
        """Return what somebody heard of a request."""
        name = self.lines.lines[request].event
        names = (name, self.dialect.broadcasts.get(name, name))
        after = [line for line in self.lines.lines[request:] if line.act == "hears" and line.event in names]
        heard = [line for line in after if line.connection and not line.cut]
        return next((line for line in heard if wanted & set(telling(payload(line)))), None)
