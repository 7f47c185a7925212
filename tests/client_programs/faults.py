"""What is wrong with each faulty client, what that breaks, and in which acts it shows.

The faults themselves are made in each stack. From here comes the table in the documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

JAVASCRIPT, PYTHON, BROWSER = "javascript", "python", "browser"
TRANSPORTS = ("websocket", "polling", "upgrade")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFault:
    """A fault of a client: the one requirement that it breaks, and the acts that show it together.

    `stacks` are those in which it can be made: some come with one library only. `transports` are those over which it
    shows.
    """

    claim: str
    breaks: str
    acts: tuple[str, ...]
    stacks: tuple[str, ...] = (JAVASCRIPT, PYTHON)
    transports: tuple[str, ...] = TRANSPORTS


def _of(requirement: str, acts: str, **claims: str) -> dict[str, ClientFault]:
    """Return faults that break the same requirement in the same acts, by their names."""
    return {
        name.replace("_", "-"): ClientFault(claim=claim, breaks=f"client/{requirement}", acts=tuple(acts.split()))
        for name, claim in claims.items()
    }


FAULTS: Mapping[str, ClientFault] = {
    **_of("connects-with-the-cookie", "ordinary", no_cookie="It connects without the cookie."),
    "cookie-lost-on-reconnect": ClientFault(
        claim="It connects again without the cookie.",
        breaks="client/connects-with-the-cookie",
        acts=("cut-off/fin",),
        transports=("websocket", "upgrade"),  # python-socketio keeps the cookie of requests
    ),
    **_of(
        "joins-before-it-sends",
        "ordinary",
        sends_before_it_joins="It greets the session, and joins it after that.",
        never_joins="It believes that being a member is enough.",
        believes_a_refused_join="It misspells the session's id, is refused when it joins, and sends as if it were in.",
    ),
    **_of(
        "joins-before-it-sends",
        "join-refused",
        any_answer_lets_it_in="It takes any answer to its join for a yes, and looks at none.",
    ),
    **_of(
        "waits-for-the-join",
        "slow-answers",  # others may come before the message
        does_not_wait_for_the_join="It joins, and sends its first message without waiting for the answer.",
    ),
    **_of(
        "puts-session-id-in-every-session-event",
        "ordinary",
        forgets_the_session_id="One event of many names the encounter and the token only.",
        session_id_is_empty="The session's id is null in chat messages.",
    ),
    **_of(
        "sends-only-valid-payloads",
        "ordinary",
        numbers_as_text="The coordinates of a move are text, as they come out of an input field.",
        blank_messages="It sends messages that are blank.",
        payload_as_text="It sends JSON as text in place of the object.",
    ),
    **_of(
        "sends-one-argument",
        "ordinary",
        two_arguments="Chat messages have a second argument behind the payload.",
        no_argument="It asks for its own profile without any argument.",
    ),
    **_of(
        "sends-catalogue-events-only",
        "ordinary",
        misspells_an_event="It sends `chat_message` beside `chat-message`.",
    ),
    **_of(
        "survives-an-error-ack",
        "refused/PERMISSION_DENIED",
        crashes_at_an_error_ack="The rejected promise is not caught, and the program ends.",
        believes_every_ack="It reads the data of a failure acknowledgement, which has none, and ends with an error.",
    ),
    **_of(
        "survives-an-error-ack",
        "ordinary refused/INTERNAL_ERROR",
        hangs_up_at_an_error_ack="It hangs up when a request is refused.",
        ends_well_at_an_error_ack="Its program ends with 0 when a request is refused, as if that were all.",
    ),
    **_of(
        "tolerates-an-error-event",
        "both-answers",
        crashes_at_an_error_event="The handler of the error event throws.",
    ),
    **_of(
        "tolerates-an-error-event",
        "ordinary both-answers",
        hangs_up_at_an_error_event="It hangs up at an error event.",
    ),
    **_of(
        "ignores-unknown-events",
        "strange-events",
        crashes_at_an_unknown_event="An event that has no handler is looked up all the same, and ends the program.",
        reads_whatever_comes="It reads the session of every event, also of one that carries nothing, and ends so.",
    ),
    **_of(
        "ignores-unknown-events",
        "ordinary strange-events",
        hangs_up_at_an_unknown_event="It hangs up at an event that it does not know.",
    ),
    **_of(
        "tolerates-presence-events",
        "come-and-go/left",
        crashes_at_presence_events="It looks up the name of those who come in a list that has only its own.",
    ),
    "hangs-up-when-somebody-left": ClientFault(
        claim="It hangs up when somebody leaves, as if it were alone.",
        breaks="client/tolerates-presence-events",
        acts=("ordinary", "come-and-go/left"),
        transports=("websocket",),  # over polling, python-socketio only falls silent while a request is under way
    ),
    **_of(
        "tolerates-presence-events",
        "ordinary come-and-go/switched",
        ends_well_when_somebody_left="Its program ends with 0 when somebody goes to another session.",
    ),
    "ends-when-disconnected": ClientFault(
        claim="It takes the end of its connection for an error, and ends with it.",
        breaks="client/tolerates-being-disconnected",
        acts=("disconnected",),
        transports=("websocket",),  # over polling, a request may be answered 400 before the disconnect is read
    ),
    "ends-well-when-disconnected": ClientFault(
        claim="It takes the end of its connection for that of the game, and its program ends with 0.",
        breaks="client/tolerates-being-disconnected",
        acts=("ordinary", "disconnected"),
        transports=("websocket",),
    ),
    **_of(
        "rejoins-after-reconnect",
        "cut-off/fin",
        flushes_before_the_rejoin="What was said while it was offline goes out before the join.",
        never_rejoins="It connects again and goes on as if it were still in the room.",
        rejoins_after_its_first_message="It says that it is back, and then joins.",
    ),
    "retries-of-the-library": ClientFault(
        claim="The library's `retries` send what was unanswered as soon as it is connected: before the join.",
        breaks="client/rejoins-after-reconnect",
        acts=("cut-off/fin",),
        stacks=(JAVASCRIPT,),
    ),
    **_of("connects-again", "cut-off/fin", does_not_come_back="Reconnection is switched off."),
    **_of(
        "backs-off",
        "server-away",
        hammers="It tries to connect again every 300 ms.",
        hammers_more_and_more="It tries to connect again at ever shorter intervals.",
    ),
    **_of(
        "stops-when-removed",
        "removed",
        goes_on_after_being_removed="It has no handler for `session-removed`.",
    ),
    **_of(
        "stops-sending-after-leaving",
        "moved-on",
        goes_on_after_leaving="It leaves, and sends some more messages.",
        a_listener_lives_on_after_leaving="A timer of the page that it has left goes on making tokens.",
    ),
    **_of(
        "stops-when-unauthenticated",
        "logged-out",
        keeps_trying_when_unauthenticated="It tries to connect again and again with the cookie that was refused.",
    ),
    **_of(
        "sends-no-duplicates",
        "slow-answers",
        resends_the_unanswered="It sends again what was not answered within 0.7 seconds.",
        counts_its_attempts="So it does, with the number of the attempt in a property that no server knows.",
        resends_whatever_is_unanswered="So it does with its join, and is never in as long as answers are late.",
    ),
}
