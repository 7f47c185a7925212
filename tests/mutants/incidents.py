"""Faults of real servers; the faulty servers that have them are always judged."""

from __future__ import annotations

# A fault of a real server of this protocol: the faulty servers that have it here.
INCIDENTS = {
    "every valid cookie was refused": {"LostTheLogin"},
    "the handler of join-session was lost": {"LostTheJoinHandler"},
    "every user who asked to join was admitted and enrolled": {"EnrolsWhoeverComes"},
    "a refused join had subscribed the connection": {"SubscribesBeforeItRefuses"},
    "chat went to any room named, from any sender named": {"RelaysToWhateverRoom", "BelievesTheSender"},
    "leaving left another room than joining had entered": {"LeavesAnotherRoom"},
    "half of the handlers broadcast to a room nobody was in": {"NamesTheRoomInTwoWays"},
    "a second join did not leave the first room": {"StaysInTheFirstRoom"},
    "disconnecting ended the membership": {"DisconnectingEndsMembership"},
    "token events needed a further subscription": {"NeedsASubscription"},
    "creating, updating and deleting were never answered": {"NeverAnswersChanges"},
    "what came too fast was never answered": {"DropsWhatIsTooMuch"},
    "a member of one session moved the tokens of another": {"MixesSessions"},
    "the game master was refused, not being a participant": {"LooksForParticipantsOnly"},
    "the sender heard its own broadcast": {"EchoesToTheSender"},
    "broadcasts went to everybody": {"TellsEverybody"},
    "an answer carried secrets of populated users": {"NamesTheParticipantsInFull"},
    "a missing payload ended the process": {"DiesOfAMissingPayload"},
    "a callback that was missing, or none, ended the process": {"DiesWithoutACallback", "DiesOfACallbackThatIsNone"},
    "an error event was a bare text": {"SaysErrorsInABareText"},
    "an error was reported to nobody": {"SaysNothingWithoutACallback"},
    "a success was answered without `success`": {"LeavesSuccessOut"},
    "leaving answered success although it had failed": {"LeavesInName"},
    "declared shapes were never applied": {"TakesHalfSquares"},
    "a namespace for administrators was open": {"AdministersInTheOpen"},
    "a revoked member went on hearing": {"KeepsTheRemovedInTheRoom"},
    "a logged-out connection kept its authority": {"KeepsServingAfterLogout"},
    "a user who switched sessions kept the old room, which got no notice": {"SwitchesWithoutLeaving"},
    "membership was kept in memory and not saved": {"LostTheMembership"},
    "events had names in camelCase": {"BroadcastsInCamelCase"},
}
