"""Chat messages: which texts are accepted, and that they arrive unchanged."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from dungeonlab_conformance.checks.open_connections import joined_tabs
from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.actor import Actor
from dungeonlab_conformance.clients.obstacles import not_accepted, not_heard
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.marks import carries, new_mark
from dungeonlab_conformance.record.observation import Observation, Request
from dungeonlab_conformance.results.errors import Broken, Gone, Unjudged
from dungeonlab_conformance.results.verdict import VerdictKey
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.stage.traffic import chat

_ROUNDS = 8  # in which several speak at the same moment
LONGEST = 2000  # characters; section 11
_SEEN = 200  # characters that are shown of one, escaped

TEXTS = {
    "emoji": "🐉⚔️👩‍🚀 🇩🇪",
    "scripts": "Ελλάδα עברית العربية हिन्दी 漢字 한국어",
    "decomposed": "Cafe\u0301 \u212b \ufb01",  # changes under any Unicode normalisation
    "decomposed, and long": "Cafe\u0301 \u212b \ufb01 \u00b2 \uff21 " * 12,
    "markup": "<b onclick=\"x()\">&amp; <script>alert('1')</script>",
    "white space": "  two  leading,\ttab,\nnew line,\r\nanother, \nblank,\t\r\ntab,\n\n\nlast, trailing  ",
    "quotes and backslashes": "\"'`\\ \\n %s {0} ${x} {{y}}",
    "control and format characters": "a\u0007b\u200bc\u202ed\u00a0e",
    "characters that few fonts have": "a\u2764\ufe0eb\ue000c\u00add\u2066e\u2069f\u034fg\U000f0000h\u2029i",
    "percent codes": "100 % %41 %20",
    "a command": "/roll 1d20+5 ",
    "another command": "/me waves ",
    "commands of robots": "!help [[1d6]] @here ",
    "what some would format": "_so_ ~~no~~ `code` ||there|| [here](e.org) -> 1/2 :dragon:\n> said\n- one\n# two ",
    "what some would embellish": ":) :smile: (c) -- ... *bold* @all #1 http://example.org/?a=1&b=2 http://e.org/ ",
}
ONE = "\U00012031"  # a message of one character, found in no other
# Messages without a mark, since careless code takes them for something else, or for nothing, where they are the whole.
WHOLE = (
    "0",
    "1",
    "007",
    "1e3",
    "-0.50",
    "true",
    "false",
    "null",
    "undefined",
    "NaN",
    "{}",
    "[]",
    '{"a":1}',
    '"so"',
    "[object Object]",
    "\ufeffa",
)

# Repeated to the length that is allowed, and one beyond: what counts bytes, UTF-16 units or graphemes goes wrong.
WIDTHS = {
    "one byte": "a",
    "two bytes, one UTF-16 unit": "\u00e9",
    "four bytes, two UTF-16 units": "\N{DRAGON}",
    "two characters that look like one": "e\u0301",
}
ESCAPED = "\"&<'\\>"  # repeated likewise: what counts what is written in place of these goes wrong
LETTERS = "a" * LONGEST
# One character beyond, which is lost on the way where a text is trimmed, normalised or freed from what is not seen.
SURPLUS = (
    f"{LETTERS} ",  # a blank at the end
    f" {LETTERS}",  # a blank at the beginning
    f"{LETTERS}\n",  # a line break at the end
    f"{LETTERS[2:]}\r\na",  # a line break of two characters
    f"{LETTERS}\u3000",  # a wide blank at the end
    f"\ufeff{LETTERS}",  # a byte order mark at the beginning
    f"{LETTERS}\u200b",  # a character without a width
    f"{LETTERS}\u0007",  # a control character
)
BLANK = " \t\n\v\f\r\u00a0\u1680\u2003\u2028\u202f\u3000"  # what every language takes for white space


def _message(stage: Stage, text: str, mark: str | None, requirement: str) -> Request:
    """Return a request to say something, judged by `requirement`."""
    body = {"sessionId": stage.session, "message": text}
    return Request("chat-message", (body,), mark, stage.session, requirement=requirement)


async def _must_arrive_unchanged(bob: Actor, request: Request) -> None:
    came = (await bob.hear(request)).args[0]
    sent, got = request.args[0]["message"], came.get("message") if isinstance(came, dict) else came
    if got != sent:
        raise Broken(_shown(sent, got), _shown(got, sent), "$.message")


def _shown(text: object, other: object) -> str:
    """Return a text for a finding: its beginning, or if that is the same in the other one, what comes behind it."""
    if not isinstance(text, str):
        return quoted(text)
    pairs = zip(text, other if isinstance(other, str) else "", strict=False)
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    if len(ascii(text[: same + 1])) < _SEEN:
        return f"{len(text)} characters: {text!a:.{_SEEN}}"
    return f"{len(text)} characters, from number {same + 1} on: {text[same:]!a:.{_SEEN}}"


@check("chat/text-arrives-unchanged")
async def a_text_arrives_unchanged(stage: Stage) -> None:
    """Alice sends texts in many scripts, with emoji, markup and white space; bob receives them unchanged.

    So does his other tab, over the other transport. Some texts are what a program may take for a value, or for none.
    """
    alice, bob = await stage.joined("alice", "bob")
    listeners = [bob, *await joined_tabs(stage, bob, stage.target.other_transports(stage.target.transport))]
    marks = [new_mark() for _ in TEXTS]
    texts = {mark: f"{text}{mark}{text}" for mark, text in zip(marks, TEXTS.values(), strict=True)}
    unheard: dict[Actor, Unjudged] = {}  # why: the others may show what becomes of a text all the same
    for mark, text in (*texts.items(), (ONE, ONE)):
        request = _message(stage, text, mark, "chat/text-arrives-unchanged")
        await alice.send(request)
        for listener in (each for each in listeners if each not in unheard):
            try:
                await _must_arrive_unchanged(listener, request)
            except Gone:
                raise
            except Unjudged as why:
                unheard[listener] = why
    if unheard:
        raise next(iter(unheard.values()))
    await _whole_texts_must_arrive(stage, alice, listeners)


async def _whole_texts_must_arrive(stage: Stage, alice: Actor, listeners: Iterable[Actor]) -> None:
    """Let alice say at once what has no mark; each listener hears all of it, and nothing else meanwhile."""
    before = {listener: len(stage.journal.heard(listener.connection)) for listener in listeners}
    requests = [_message(stage, text, None, "chat/text-arrives-unchanged") for text in WHOLE]
    answers = await asyncio.gather(*map(alice.try_prepare, requests))
    refused = [answer for answer in answers if not answer.accepted]
    said = [answer.request.args[0]["message"] for answer in answers if answer.accepted]
    for listener, start in before.items():
        heard = partial(_messages, stage, listener, start)
        await listener.try_observe(partial(_is_all_heard, said, heard))
        came = [message for message in heard() if message not in WHOLE]
        if (lost := [text for text in said if text not in heard()]) and came:
            raise Broken(_shown(lost[0], came[0]), _shown(came[0], lost[0]), "$.message")
        if lost:
            why = f"{listener.name} did not hear alice say {lost[0]!r}"
            raise Unjudged(why, waits_for=not_heard("chat-message"))
    if refused:
        raise Unjudged(f"a message was refused: {refused[0].shown}", waits_for=not_accepted(refused[0]))


def _is_all_heard(said: Sequence[str], heard: Callable[[], list[object]], seen: Observation) -> bool:
    return seen.act == "hears" and len(found := heard()) >= len(said) and all(text in found for text in said)


def _messages(stage: Stage, listener: Actor, start: int) -> list[object]:
    """Return what a listener has heard being said without a mark, from the broadcast numbered `start` on."""
    heard = stage.journal.heard(listener.connection)[start:]
    marked = [request for request in stage.journal.requests if request.mark is not None]
    said = (seen for seen in heard if seen.event == "chat-message" and seen.args)
    bodies = (seen.args[0] for seen in said if not any(carries(seen, request) for request in marked))
    return [body.get("message") if isinstance(body, dict) else body for body in bodies]


@check("chat/answer-and-broadcast-agree", "chat/message-ids-differ")
async def an_answer_is_about_the_message_that_was_said(stage: Stage) -> None:
    """Alice, her other tab and bob each say something twice; what was acknowledged is compared with what others hear.

    That is an invariant; here each answer holds an id and a time to compare.
    """
    alice, bob = await stage.joined("alice", "bob")
    tab = await stage.other_tab(alice)
    await tab.join(stage.session)
    await stage.judge_all(_said_and_heard(stage, ((alice, bob), (tab, bob), (bob, alice), (alice, bob), (bob, tab))))


@check("chat/message-ids-differ")
async def an_empty_room_begins_no_new_count(stage: Stage) -> None:
    """Alice says something, and once more when she is back in the room that she alone was in; the ids are compared.

    So it is as soon as she has left, and as soon as her connection has ended.
    """
    alice = await stage.joined("alice")
    await alice.send(await chat(stage))
    with contextlib.suppress(Unjudged):  # whether leaving works is another matter
        if stage.target.offers("leave-session"):
            await alice.leave()
            await alice.join(stage.session)
            await alice.send(await chat(stage))
        await alice.renew()
        await alice.join(stage.session)
        await alice.send(await chat(stage))


@check("chat/message-ids-differ")
async def those_who_speak_at_once_say_different_things(stage: Stage) -> None:
    """Alice, bob and the game master, each on a connection of its own, speak at the same moment, again and again.

    The ids in the answers are compared.
    """
    speakers = await stage.joined("alice", "bob", "gamemaster")
    for _ in range(_ROUNDS):
        said = [await chat(stage) for _ in speakers]
        await asyncio.gather(*(speaker.try_send(request) for speaker, request in zip(speakers, said, strict=True)))


async def _said_and_heard(stage: Stage, pairs: Iterable[tuple[Actor, Actor]]) -> None:
    for speaker, listener in pairs:
        request = await chat(stage)
        answer = await speaker.send(request)
        heard = (await listener.hear(request)).args[0]
        for key in ("messageId", "timestamp"):
            if not isinstance(answer.data.get(key), str):
                shape = VerdictKey("acks/success-shape", "chat-message")
                raise Unjudged(f"chat-message was acknowledged without a {key}", waits_for=shape)
            if not isinstance(heard, dict) or not isinstance(heard.get(key), str):
                shape = VerdictKey("broadcasts/valid-payload", "chat-message")
                raise Unjudged(f"chat-message was broadcast without a {key}", waits_for=shape)


@check("chat/longest-accepted", slow=True)
async def the_longest_message_is_accepted(stage: Stage) -> None:
    """Alice sends 2000 characters, of one byte, of two and of four, and combining ones; all arrive whole.

    As many are accepted that are often written by several others; whether they arrive is looked at elsewhere.
    """
    alice, bob = await stage.joined("alice", "bob")
    await alice.send(await chat(stage))
    for letters in WIDTHS.values():
        mark = new_mark()
        request = _message(stage, _of_length(LONGEST, letters, mark), mark, "chat/longest-accepted")
        await alice.must_be_allowed(request)
        await _must_arrive_unchanged(bob, request)
    mark = new_mark()
    escaped = _message(stage, _of_length(LONGEST, ESCAPED, mark), mark, "chat/text-arrives-unchanged")
    await alice.must_be_allowed(escaped)


def _of_length(length: int, letters: str, beginning: str = "") -> str:
    return beginning + (letters * length)[: length - len(beginning)]


async def _must_be_refused(stage: Stage, *texts: str) -> None:
    """Let alice show that she may speak, and then say what she may not."""
    alice = await stage.joined("alice")
    await alice.send(await chat(stage))
    for text in texts:
        request = Request(
            "chat-message", ({"sessionId": stage.session, "message": text},), None, stage.session, legal=False
        )
        await alice.must_be_refused(request)


@check("chat/blank-refused")
async def a_blank_message_is_refused(stage: Stage) -> None:
    """Alice's text is accepted; texts of nothing but white space, of ASCII or Unicode, are refused."""
    await _must_be_refused(stage, " \t\r\n ", " \u00a0\u2003\u3000 ", *BLANK)


@check("chat/too-long-refused")
async def a_message_too_long_is_refused(stage: Stage) -> None:
    """Alice's text is accepted; texts of 2001 characters are refused, whatever their size in bytes and their ends."""
    await _must_be_refused(stage, *(_of_length(LONGEST + 1, letters) for letters in WIDTHS.values()), *SURPLUS)
