"""Accounts for every delivery of a run: which request caused it, and whether its listener was entitled to it. Pure.

Theory of operation. A delivery is a broadcast event that one connection received. The ledger works in four passes,
each over what the pass before has found:

1. `causes` traces each delivery to one request of the run: by the mark that both carry; else by equal content; else
   by debt, to a request that the listener was owed and has not received. A delivery that is traced to none has no
   cause, and breaks `broadcasts/caused-by-a-request`.
2. `attribution` states for each traced delivery what is known of its listener, independently of all other deliveries:
   the listener's position while the request was under way (in the room, in another session's room, a member who has
   not joined, an outsider) and its history with the room (it left, was removed, was refused ...).
3. `ledger` folds all attributions into patterns of the server: events that leak to strangers, that are delivered
   twice, that are garbled, and rules about former or refused members that are broken.
4. `ledger` names one rule for each delivery that breaks one, by its attribution and the patterns. A leak to somebody
   who left is evidence against leaving only as long as strangers do not receive the same event.

What did not come is found in `missing`: each accepted request is compared with each connection that certainly was in
the room. Where the listener's `history` is more than having joined, nothing is said: other rules may explain the
silence.

A request that was refused must reach nobody. A request whose payload is invalid and was accepted all the same explains
everything that follows in its session: that fault has a requirement of its own.
"""

from dungeonlab_conformance.invariants.deliveries.ledger import Ledger
from dungeonlab_conformance.invariants.deliveries.missing import EACH_TAB, missing

__all__ = ["EACH_TAB", "Ledger", "missing"]
