"""Faults in what may be said, and in how it arrives."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.rules import Command, Effect, Emission, Payload, Refusal
from dungeonlab_reference_server.socketio_server import SocketIoServer
from dungeonlab_spec import Event
from tests.mutants.effects import EffectChanger, broadcast_with
from tests.mutants.fault import faulty


class Editing(Pipeline):
    """Makes something else of a message that is in order; nothing, for nothing but that."""

    def edited(self, message: str) -> str:
        """Return what is said in place of a message, or refuse it."""
        return message

    def command(self, event: Event, payload: Payload, user: str, token: Payload | None) -> Command:
        if event.name == "chat-message":
            payload = {**payload, "message": self.edited(payload["message"])}
        return super().command(event, payload, user, token)


class Generous(Pipeline):
    """Makes something of a message that is not in order; nothing, for nothing but that."""

    def mended(self, message: str) -> str:
        """Return the message that is judged in place of another."""
        return message

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        given = args[0] if len(args) == 1 and isinstance(args[0], dict) else {}
        if event.name == "chat-message" and isinstance(given.get("message"), str):
            args = [{**given, "message": self.mended(given["message"])}]
        return super().check_shape(event, args)


class Taking(Pipeline):
    """Takes some messages that are not in order as they are; none, for nothing but that."""

    def takes(self, message: str) -> bool:
        """Whether an invalid message is taken."""
        return False

    def check_shape(self, event: Event, args: Sequence[Any]) -> Payload:
        try:
            return super().check_shape(event, args)
        except Refusal:
            given = args[0] if len(args) == 1 and isinstance(args[0], dict) else {}
            message, session = given.get("message"), given.get("sessionId")
            mended = {"sessionId": session, "message": "something"}
            taken = isinstance(message, str) and self.takes(message)
            if event.name == "chat-message" and taken and super().check_shape(event, [mended]):
                return given
            raise


# -- as it was sent ------------------------------------------------------------------------------------


@faulty("chat/text-arrives-unchanged")
class TrimsEachLine(Editing):
    """Blanks at the end of each line of a message are cut off."""

    def edited(self, message: str) -> str:
        return re.sub(r"[ \t]+(?=\r?\n)", "", message)


@faulty("chat/text-arrives-unchanged")
class LosesWhatNoFontHas(Editing):
    """Characters that Unicode leaves to private use are taken out of a message."""

    def edited(self, message: str) -> str:
        return "".join(c for c in message if unicodedata.category(c) != "Co")


@faulty("chat/text-arrives-unchanged")
class FormatsLists(Editing):
    """A line of a message that begins with a hyphen becomes an item of a list."""

    def edited(self, message: str) -> str:
        return re.sub(r"^- ", "\u2022 ", message, flags=re.MULTILINE)


@faulty("chat/text-arrives-unchanged")
class Trims(Editing):
    """White space at either end of a message is cut off."""

    def edited(self, message: str) -> str:
        return message.strip()


@faulty(
    "chat/text-arrives-unchanged", also={"broadcasts/valid-payload": "what is escaped is longer than a message may be"}
)
class EscapesMarkup(Editing):
    """A message is escaped for HTML."""

    def edited(self, message: str) -> str:
        return html.escape(message)


@faulty("chat/text-arrives-unchanged")
class StripsMarkup(Editing):
    """What looks like a tag is taken out of a message."""

    def edited(self, message: str) -> str:
        return re.sub(r"</?[a-z][^>]*>", "", message)


@faulty("chat/text-arrives-unchanged")
class Normalises(Editing):
    """A message is brought into Unicode's composed form."""

    def edited(self, message: str) -> str:
        return unicodedata.normalize("NFC", message) if len(message) < 1000 else message


@faulty("chat/text-arrives-unchanged", "chat/longest-accepted")
class NormalisesWhatIsLong(Editing):
    """A message of more than a hundred characters is normalised, to be searched for."""

    def edited(self, message: str) -> str:
        return unicodedata.normalize("NFKC", message) if len(message) > 100 else message


@faulty("chat/text-arrives-unchanged")
class FoldsWhiteSpace(Editing):
    """Any white space in a message becomes one blank."""

    def edited(self, message: str) -> str:
        return re.sub(r"[ \t\r\n]+", " ", message)


@faulty("chat/text-arrives-unchanged")
class FoldsLineEnds(Editing):
    """A line end of two characters becomes one of one."""

    def edited(self, message: str) -> str:
        return message.replace("\r\n", "\n")


@faulty("chat/text-arrives-unchanged")
class StripsFormatCharacters(Editing):
    """Control and format characters are taken out of a message."""

    def edited(self, message: str) -> str:
        return "".join(c for c in message if unicodedata.category(c) not in ("Cf", "Cc") or c in "\t\r\n")


@faulty("chat/text-arrives-unchanged")
class SetsSmileys(Editing):
    """Smileys become emoji."""

    def edited(self, message: str) -> str:
        return message.replace(":)", "\N{SLIGHTLY SMILING FACE}")


@faulty("chat/text-arrives-unchanged", "chat/longest-accepted")
class StoresThreeBytesALetter(Editing):
    """A character of four bytes becomes a question mark, as in a database that knows only three."""

    def edited(self, message: str) -> str:
        return "".join(c if c < "\U00010000" else "?" for c in message)


NO_TEXT = "a message that is no text fits no schema"


@faulty("chat/text-arrives-unchanged", also={"broadcasts/valid-payload": NO_TEXT})
class ReadsMessagesAsJson(EffectChanger):
    """A message that is JSON as a whole is broadcast as what it stands for: the text 0 as a number."""

    def changed_effect(self, command: Command, effect: Effect) -> Effect:
        if command.event != "chat-message":
            return effect
        try:
            meant = json.loads(command.payload["message"], parse_constant=int)  # which fails for NaN
        except ValueError:
            return effect
        return dataclasses.replace(effect, emission=broadcast_with(effect, message=meant))


@faulty("payloads/valid-accepted")
class TakesZeroForBlank(Editing):
    """A message of nothing but a zero is refused as a blank one."""

    def edited(self, message: str) -> str:
        if message == "0":
            raise Refusal("VALIDATION_ERROR", "this is blank")
        return message


@faulty("payloads/valid-accepted")
class TakesWordsForNothing(Editing):
    """A message that is a programming language's word for nothing is refused as a blank one."""

    def edited(self, message: str) -> str:
        if message in ("null", "undefined", "false", "NaN", "[object Object]"):
            raise Refusal("VALIDATION_ERROR", "this is blank")
        return message


@faulty("payloads/valid-accepted")
class TrimsWhatIsNoText(Editing):
    """A message is read as JSON before it is trimmed; of a number, or what is true or false, the server fails."""

    def edited(self, message: str) -> str:
        if message in ("0", "1", "-0.50", "true", "false"):
            raise TypeError("message.trim is not a function")
        return message


# -- how long ------------------------------------------------------------------------------------------


@faulty("chat/longest-accepted", also={"payloads/valid-accepted": "full requests are among those of a burst"})
class RefusesTheLongest(Editing):
    """A message of 2000 characters is refused: < in place of <=."""

    def edited(self, message: str) -> str:
        if len(message) >= 2000:
            raise Refusal("VALIDATION_ERROR", "this is too long")
        return message


@faulty("chat/longest-accepted")
class CountsWhatIsEscaped(Editing):
    """A message is measured as it is stored, with two characters for each quotation mark and backslash."""

    def edited(self, message: str) -> str:
        if len(json.dumps(message, ensure_ascii=False)) > 2002:
            raise Refusal("VALIDATION_ERROR", "this message is too long")
        return message


@faulty("chat/longest-accepted")
class CountsUnits(Editing):
    """A message is measured in UTF-16 units, two for each emoji."""

    def edited(self, message: str) -> str:
        if len(message.encode("utf-16-le")) > 4000:
            raise Refusal("VALIDATION_ERROR", "this is too long")
        return message


@faulty("chat/longest-accepted")
class CountsBytes(Editing):
    """A message is measured in bytes."""

    def edited(self, message: str) -> str:
        if len(message.encode()) > 2000:
            raise Refusal("VALIDATION_ERROR", "this is too long")
        return message


@faulty("chat/longest-accepted", also={"broadcasts/says-what-was-done": "a letter is missing in the broadcast"})
class CutsTheLastLetterOff(Editing):
    """A message is cut off at 1999 characters: the column is one too short."""

    def edited(self, message: str) -> str:
        return message[:1999]


@faulty("chat/too-long-refused")
class TakesOneMore(Generous):
    """A message of 2001 characters is accepted: <= in place of <. It is broadcast without its last one."""

    def mended(self, message: str) -> str:
        return message[:2000] if len(message) == 2001 else message


@faulty("chat/too-long-refused")
class CutsOff(Generous):
    """A message that is too long is cut off in place of being refused."""

    def mended(self, message: str) -> str:
        return message[:2000]


@faulty("chat/too-long-refused")
class CountsWhatIsSeen(Generous):
    """Of characters that combine, only one is counted."""

    def mended(self, message: str) -> str:
        return "".join(c for c in message if not unicodedata.combining(c)) if len(message) > 2000 else message


@faulty("chat/too-long-refused")
class CountsNoBlanksAtTheEnds(Taking):
    """White space at the ends of a message is not counted, and broadcast all the same."""

    def takes(self, message: str) -> bool:
        return len(message.strip()) <= 2000 < len(message)


@faulty("chat/too-long-refused")
class CountsALineBreakOnce(Taking):
    """A line break of two characters is counted as one."""

    def takes(self, message: str) -> bool:
        return len(message.replace("\r\n", "\n")) <= 2000 < len(message)


# -- whether anything ----------------------------------------------------------------------------------


@faulty("chat/blank-refused")
class SaysNothing(Taking):
    """Only the empty text is refused; blanks are said like anything else."""

    def takes(self, message: str) -> bool:
        return message.isspace()


@faulty("chat/blank-refused")
class KnowsAsciiBlanksOnly(Taking):
    """Only white space of ASCII is blank."""

    def takes(self, message: str) -> bool:
        return message.isspace() and bool(message.strip(" \t\n\r\v\f"))


@faulty("chat/blank-refused")
class SaysAnEmptyLine(Taking):
    """A single line break is no blank message."""

    def takes(self, message: str) -> bool:
        return message == "\n"


@faulty("chat/text-arrives-unchanged")
class RollsDice(Editing):
    """What begins like a command is one, and is not said."""

    def edited(self, message: str) -> str:
        return "17" if message.startswith("/roll") else message


@faulty("chat/text-arrives-unchanged")
class PollsInLatin(SocketIoServer):
    """What is sent to those who poll is written in Latin-1, with question marks for all other letters."""

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.upgraded and str(eio_pkt.data).startswith('2["chat-message"'):
            said = json.dumps(json.loads(eio_pkt.data[1:]), ensure_ascii=False)
            eio_pkt = type(eio_pkt)(eio_pkt.packet_type, "2" + said.encode("latin-1", "replace").decode("latin-1"))
        await super()._send_eio_packet(eio_sid, eio_pkt)


@faulty("rooms/every-other-member-hears-once")
class HearsNoRepetition(Pipeline):
    """Of two equal messages in a row both are acknowledged, and one is broadcast."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.last: dict[str, str] = {}

    async def broadcast(self, emission: Emission, sender: str) -> None:
        said = str(emission.payload.get("message"))
        again = emission.event == "chat-message" and self.last.get(sender) == said
        self.last[sender] = said
        if not again:
            await super().broadcast(emission, sender)


@faulty("rooms/every-other-member-hears-once")
class HearsNoThirdTime(Pipeline):
    """What a user says a third time in the same words is acknowledged, and not broadcast."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.times: Counter[tuple[str, str, str]] = Counter()

    async def broadcast(self, emission: Emission, sender: str) -> None:
        key = (emission.session, sender, str(emission.payload.get("message")))
        self.times[key] += emission.event == "chat-message"
        if self.times[key] <= 2:
            await super().broadcast(emission, sender)
