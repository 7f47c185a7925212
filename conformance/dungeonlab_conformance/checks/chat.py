"""What may be said, and that it arrives as it was said."""

from dungeonlab_conformance.actor import Actor
from dungeonlab_conformance.check import check
from dungeonlab_conformance.journal import Said, new_mark
from dungeonlab_conformance.stage import Stage
from dungeonlab_conformance.verdict import Broken
from dungeonlab_spec import Catalogue

LONGEST = 2000  # characters; section 11

TEXTS = {
    "emoji": "🐉⚔️👩‍🚀 🇩🇪",
    "scripts": "Ελλάδα עברית العربية हिन्दी 漢字 한국어",
    "decomposed": "Cafe\u0301 \u212b \ufb01",  # changes under any Unicode normalisation
    "markup": "<b onclick=\"x()\">&amp; <script>alert('1')</script>",
    "white space": "  two  leading,\ttab,\nnew line, trailing  ",
    "quotes and backslashes": "\"'`\\ \\n %s {0} ${x} {{y}}",
    "control and format characters": "a\u0007b\u200bc\u202ed\u00a0e",
}


async def _arrives(stage: Stage, alice: Actor, bob: Actor, text: str) -> None:
    said = Said("chat-message", ({"sessionId": stage.session, "message": text},), text, stage.session)
    mark = new_mark()
    said.args[0]["message"] = f"{text}{mark}{text}"[: max(len(text) * 2 + len(mark), 1)]
    said.mark = mark
    await alice.does(said)
    came = (await bob.witnesses(said)).args[0]
    got = came.get("message") if isinstance(came, dict) else came
    if got != said.args[0]["message"]:
        raise Broken(ascii(said.args[0]["message"]), ascii(got), "$.message")


@check("chat/text-arrives-unchanged")
async def a_text_arrives_unchanged(stage: Stage) -> None:
    """Alice says things in many scripts, with emoji, markup and white space; bob hears them letter for letter."""
    alice, bob = await stage.joined("alice", "bob")
    for text in TEXTS.values():
        await _arrives(stage, alice, bob, text)


@check("chat/longest-accepted")
async def the_longest_message_is_accepted(stage: Stage) -> None:
    """Alice says 2000 characters, of one byte each and of four; both arrive whole."""
    alice, bob = await stage.joined("alice", "bob")
    for letter in ("a", "\N{DRAGON}"):
        mark = new_mark()
        text = mark + letter * (LONGEST - len(mark))
        said = Said("chat-message", ({"sessionId": stage.session, "message": text},), mark, stage.session)
        await alice.is_allowed(said)
        heard = (await bob.witnesses(said)).args[0]
        got = heard.get("message") if isinstance(heard, dict) else None
        if got != text:
            raise Broken("all 2000 characters", f"{len(got) if isinstance(got, str) else got!r}", "$.message")


async def _is_refused(stage: Stage, text: str) -> None:
    alice = await stage.joined("alice")
    await alice.does(await stage.request(Catalogue.load()["chat-message"]))
    await alice.is_refused(
        Said("chat-message", ({"sessionId": stage.session, "message": text},), None, stage.session, legal=False)
    )


@check("chat/blank-refused")
async def a_blank_message_is_refused(stage: Stage) -> None:
    """Alice says something, then nothing but white space, of ASCII and of Unicode."""
    for text in (" ", " \t\r\n ", "\u00a0\u2003\u3000"):
        await _is_refused(stage, text)


@check("chat/too-long-refused")
async def a_message_too_long_is_refused(stage: Stage) -> None:
    """Alice says something, then one character more than 2000."""
    await _is_refused(stage, "a" * (LONGEST + 1))
