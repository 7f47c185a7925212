"""What may be done to clients on purpose. A director notes it as a packet of the kind "act", with its name as `event`.

The rules judge what they see in the packets. They need these notes only for what no packet shows: where one program
ends and the next begins, and how it ended.
"""

from __future__ import annotations

from enum import StrEnum


class DirectorAct(StrEnum):
    """One thing that is done to clients; `user` and `connection` of its packet say to whom, "" and 0 if to all.

    What `text` holds is said beside each. An act stands before what it causes.
    """

    BEGIN = "begin"  # new clients are started, or are to be seen as new; the name of what is played with them
    EXITED = "exited"  # a client's program has ended by itself; its exit code, negative for a signal
    FROZE = "froze"  # a client's program runs, and answers no ping any more; for how many seconds it has sent nothing
    STOPPED = "stopped"  # a client's program still ran, and was ended from outside
    REFUSE = "refuse"  # a request is refused; with which code
    ERROR_EVENT = "error-event"  # a failure acknowledgement comes with an error event
    UNKNOWN_EVENT = "unknown-event"  # an event that no client knows is sent; its name
    PRESENCE = "presence"  # somebody goes and comes back; how they go
    DISCONNECT = "disconnect"  # the server disconnects after a refusal
    CUT = "cut"  # a connection is cut off; fin, rst or silence
    AWAY = "away"  # no connection is accepted from now on; for how many seconds, "" until it is back
    BACK = "back"  # they are again
    SLOW = "slow"  # answers are late from now on; by how many seconds, "0" ends it
    REMOVE = "remove"  # the user's membership is ended
    LOG_OUT = "log-out"  # the user's cookie is worthless from now on
