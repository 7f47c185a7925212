"""What a faulty server is: a fault, stated in one sentence, in the smallest seam of the reference server."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dungeonlab_reference_server.http import HttpSide
from dungeonlab_reference_server.pipeline import Pipeline
from dungeonlab_reference_server.socketio_server import SocketIoServer
from dungeonlab_reference_server.store import MemoryStore
from dungeonlab_spec import Catalogue
from tests.mutants.incidents import INCIDENTS
from tests.serving import Variant

S = TypeVar("S", Pipeline, SocketIoServer, HttpSide, MemoryStore)
Seam = Pipeline | SocketIoServer | HttpSide | MemoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A fault, and what it must be found to break.

    `breaks` are the requirement ids that must be found broken. `also` are ids (or globs) that may be found
    broken besides, each with the reason why no server could have the fault and keep them. `hides` says that hardly
    another fault shows on the same server, since this one stops, refuses or silences too much.
    """

    name: str
    claim: str
    breaks: frozenset[str]
    also: Mapping[str, str] = field(default_factory=dict)
    hides: bool = False

    @property
    def methods(self) -> frozenset[object]:
        """What of the server it replaces; two faults that replace the same are never on one server."""
        raise NotImplementedError

    @property
    def run(self) -> object:
        """What kind of run shows it; faults that different kinds show are never on one server."""
        raise NotImplementedError

    def allows(self, requirement: str) -> bool:
        """Whether a requirement may be found broken."""
        return requirement in self.breaks or any(fnmatch.fnmatchcase(requirement, glob) for glob in self.also)

    def matches(self, found: Set[str]) -> bool:
        """Whether these are the requirements that must be found broken, and may."""
        return self.breaks <= found and all(map(self.allows, found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Expectation):
    """One faulty server, made of the reference server with some of its classes replaced.

    `measured` says that the suite does not judge it as stated yet, or leaves much unjudged: how far it comes is
    measured by `tests.mutants.lots`, and demanded by no test.
    """

    seams: tuple[type[Seam], ...]
    measured: bool = False

    @property
    def variant(self) -> Variant:
        """The server that has this fault."""
        pipeline, sockets = self._seam(Pipeline), self._seam(SocketIoServer)
        pipeline = type(pipeline.__name__, (pipeline,), {"sockets_class": sockets})
        return Variant(store=self._seam(MemoryStore), pipeline=pipeline, http=self._seam(HttpSide))

    @property
    def run(self) -> frozenset[str]:
        """The parts of a run that must be asked for to see it."""
        requirements = Catalogue.load().requirements
        return frozenset(part for name in self.breaks if (part := requirements[name].part))

    @property
    def methods(self) -> frozenset[object]:
        """The classes of the reference server that it replaces a method of, with the names of these."""
        kinds: tuple[type[Any], ...] = (Pipeline, SocketIoServer, HttpSide, MemoryStore)
        return frozenset(
            (kind, name)
            for kind in kinds
            for seam in self._seam(kind).__mro__
            if issubclass(seam, kind) and seam is not kind
            for name in vars(seam).keys() - {"__doc__", "__module__"}
        )

    def _seam(self, kind: type[S]) -> type[S]:
        seams = tuple(seam for seam in self.seams if issubclass(seam, kind)) or (kind,)
        return seams[0] if len(seams) == 1 else type(self.name, seams, {})


ALWAYS_JUDGED = {  # servers in every default set, for what they prove of the checks
    "RefusesEverything": "no check passes for want of anything having happened",
    "LetsNoMasterPlay": "who opens a session of their own stays a member of the others, by a scene of its own",
    "TellsTheMasterTwiceWhoPlays": "the game master is a participant, too, by a scene of its own",
    "RemovesTheNewestLogin": "who is removed has several logins, by a scene of its own",
    "SeatsTwoTabsAtOnce": "two tabs join at the same moment, by a scene of its own",
    "SparesTheMastersTabs": "the game master goes to another session, too, not only a member",
    "ForgetsTheOtherSession": "who shares two sessions is looked at when one ends, not only who shares one",
    "SharesTheDataOfAnActor": "a token in another encounter is looked at, not only those of the same one",
    "LetsTheMasterSpeakForOthers": "the game master claims to be somebody else, too, not only a member",
    "RelaysServerEvents": "events that only servers send are tried as well, not only names that nobody knows",
    "TrustsAHeader": "who claims to be somebody does so in headers, too, not only in the query",
    "MovesTokensToTheEncounterNamed": "ids that exist are claimed as well, not only made-up ones",
    "CountsTabsDownTwice": "a tab that has left is closed, and not only one that has not",
    "RemembersWhoAsked": "a logged-out cookie is tried for sessions as well, not only for who it is",
    "OpensSessionsForOthers": "another game master is named where a session is opened, not only nobody",
    "EnrolsInNoSession": "who is taken into a session that there is not is looked at, not only what is asked of one",
    "TellsWhoSawItMade": "who comes after a token was made is to hear of it, not only who was there before",
    "PollsWithOldCookies": "a cookie that was logged out is tried over each transport, not only one",
    "ComparesAllButTheLast": "the last letter of a cookie is changed as well, not only the first ones",
    "CompressesLargeOnesApart": "long messages and short ones alternate, not only those of one length",
    "RepeatsTheCookieInRefusals": "cookies of logins that have ended are looked for, too",
    "TrustsEveryGameMaster": "who opens a session of their own is an outsider of the others, by a scene of its own",
    "SubscribesAfterTheLeave": "who left is listened to a while later, too, not only at once",
    "LimitsInSilence": "many requests are refused at once without a callback, not only one, by a scene of its own",
    "EmitsVolatileErrors": "error events are looked for over each transport, by a scene of its own",
    "ShowsTheRemovedToTheirMaster": "profiles of the removed are asked for, not only by them",
    "TakesAnOldNumberForARetry": "requests are numbered as on the connection before, by a scene of its own",
    "RemembersWhoLeft": "coming back to a room is looked at, not only coming",
    "BroadcastsThenRefuses": "what was refused is listened for where an answer was asked for, not only where none was",
    "GoesOnAfterTheError": "what is refused without a callback is listened for by a scene of its own",
    "RefusesInSilence": "what is malformed is to be answered, by a scene of its own",
    "ForgivesCapitals": "other passwords are tried that are like the right one, not only longer ones",
    "HashesTheBeginning": "the whole of a long password is tried, not only another one",
    "TakesNoAuthPayload": "the CONNECT packet has a payload as well, not only none",
    "AdministersWhoHasSomeCookie": "other namespaces are asked for with an old cookie, not only without any",
    "TellsTheUserToJoin": "error events of several codes are listened for, not only of one",
    "StoresNumericNamesAsNumbers": "names of tokens without a mark are looked at, not only such as have one",
    "SaysInfinity": "a number that no double holds is sent as well, not only what is no JSON",
    "MakesPicturesLater": "requests of one kind differ in what they hold, not only in their values",
    "RemembersTheSeatOfTheRemoved": "who is a member again joins where they were, having asked nothing in between",
    "UnsubscribesALittleLater": "who leaves and is back at once is looked at a while later, not only who went",
    "NumbersMessagesByTheMoment": "several speak at the same moment, not only one after the other",
    "QuestionsMustBeKnownInFull": "questions are asked about properties that nobody knows, not only actions done",
    "KnowsPlayersOnly": "who is in no session asks for their own profile by their id, not only members",
    "LosesTheProfileOfTheMasterWhoPlayed": "a game master who played is looked at, too, not only admitted",
    "KeepsTheNamesOfConditionsOnly": "what a token holds is compared a while later, not only whether it is there",
    "BeginsVersionsAnew": "a token is changed a while later, not only at once",
    "LeavesTokensToTheMaster": "a token is changed when its maker is no member any more, not only before",
    "TellsTheFirstEight": "there is a dozen connections in a room, not only three tabs",
    "NamesNobodyNull": "somebody has no display name, not everybody one",
    "LooksAtTheFirstCookie": "the cookie is sent among others, not only alone",
    "DerivesTheCookie": "cookies are compared with what is known of users, not only with what was sent",
    "LogsOutWhoIsRemoved": "who was removed connects again, not only a member",
    "CountsVersionsInAByte": "a token is moved some hundred times, not only a few",
    "KeepsTheTokenInHand": "who changed a token is refused when another has deleted it, not only who deleted it",
    "NumbersTokensByTheirCount": "tokens are made after another was deleted, not only before",
    "RemembersTheLastLogout": "the cookies of two logins are tried after both have ended, not only of one",
    "RemembersTheLastRemoval": "two members of a session are removed, not only one",
    "StaysIfNobodyAsked": "a switch is asked for without a callback as well, by a scene of its own",
    "TakesADraftOfAnotherForARetry": "drafts of two makers are alike, not only two of one maker",
    "LosesTheMasterWhoPlayed": "a game master ceases to be a participant, not only becomes one",
    "LosesWhoHasLoggedOut": "profiles of those who have logged out are asked for, not only of those who have not",
    "SubscribesWhomItRefusesInSilence": "who is refused a join without a callback is listened to, not only with one",
    "SaysWhatItRefusesInSilence": "a member who has not joined sends without a callback, not only a stranger",
    "SkipsFurtherArgumentsInSilence": "what is invalid without a callback is looked for, not only with one",
    "LeavesASeatToTheOtherTab": "who is removed acts by a second tab as well, not only by one",
    "TakesTheTabsOfTheLostOut": "a tab ends without taking leave, not only with it",
    "EndsTheMembershipOfWhoPolled": "a connection over long-polling ends, not only one over WebSocket",
    "TakesTinyNumbersForNothing": "very small numbers are looked at, not only small ones",
    "ShowsThoseInRoomsToEachOther": "strangers are in rooms of their own, not only in none",
    "AdvisesAgainstDeletingForOthers": "another than the token's maker asks, not only that one",
    "EmptiesTheRoomForABrokenPacket": "who is refused for having been put out has felt it, not only who is cut off",
    "EnrolsWhomItRefusesInSilence": "who is refused a join without a callback asks again, not only with one",
    "LeavesForWhatItRefusesInSilence": "a switch without a callback is refused, too, not only one with it",
    "ListsWhoIsConnected": "a member without any connection is looked for in the list, not only others",
    "ListsWhoIsThereAlready": "who joins again looks for themselves, not only for others",
    "LeavesWithTheNewerTabs": "the newest tab is listened to, not only the oldest one",
    "MovesWebSocketsOnly": "a tab over long-polling is moved as well, not only one over WebSocket",
    "EndsThePollsForABrokenPacket": "somebody polls beside those who are connected over WebSocket",
    "SaysNothingOfWhatItNeverIssued": "refusals of made-up cookies are read, not only of none",
    "NamesNoCodeForWhatItNeverIssued": "refusals of made-up cookies are read, not only of none",
    "RemembersWhomItRemoved": "who is taken in again does all that members may, not only speak",
    "PutsOutWhoSpeaksInTongues": "who sent what nobody knows is listened to, not only others",
    "AnnouncesTheLastRoomAtTheEnd": "who went is looked at when the connection ends, not only when it goes",
    "MovesTabsOfOneLogin": "a second login joins elsewhere as well, not only a second tab",
    "FallsSilentAfterAHundred": "who says much is listened to to the end, not only at the beginning",
    "ReportsErrorsToTheMaster": "the game master is in the room when somebody is refused, not only others",
    "HangsUpOnWhomItRefuses": "who is refused is hung up on, not only answered",
    "EndsQuietWebSockets": "a connection is quiet for a while, and not only busy",
    "EndsQuietPolls": "a connection over long-polling is quiet for a while, and not only busy",
    "TakesZForTheElevation": "a position has unknown properties as well, not only the request",
    "LooksForTheSessionFirst": "two things are wrong of which the shape comes first, not only one",
    "TakesZeroForNoElevation": "a token comes down to 0 from above, and is not only there before",
    "UpsertsDrafts": "ids are given twice where a draft asks for that as well, not only unasked",
    "CountsVersionsOfTheEncounter": "a version is compared while others are at work, not only in peace",
    "DropsAKeyOfTheData": "a token is looked at after a while, too, by what may change it",
    "ForgetsWhatMoves": "a token that was moved is looked at after a while as well, not only at once",
    "LosesLargeData": "much data is looked at as well, not only odd data",
    "CutsNamesInTheStore": "long texts are looked at as well, where they are stored, not only where they are answered",
    "ShowsWhatIsUpdated": "what looks at a token may change it, and that is asked before another rule is blamed",
    "LosesKeysWithDots": "odd data is looked at as well, not only much data",
    "ServesTheEncountersOfTheDeleted": "encounters of deleted sessions are named as well, not only of living ones",
    "RefusesItsOwnPagesOverWebSocket": "pages of the server's own are to be let in, not only clients without an Origin",
    "RevivesWhatIsChanged": "a token is deleted while it is changed, not only at rest",
    "TidiesUpAfterTheUser": "who is back at once is looked at a while later, not only then",
    "ForgetsNoSwitch": "who comes back from another session is listened to, not only who left and joined again",
    "LeavesBeforeItLooksWhere": "asking in vain to leave is looked at, not only asking in vain to join",
    "SeatsTheUserAnew": "the other tab of who joins again is listened to, not only the one that does",
    "RemovesFromWhateverRoom": "who is removed is looked at in another session, too, not only where it happened",
    "LeavesBeforeItAsks": "asking in vain to join is looked at, not only asking in vain to leave",
    "RefusesToJoinTwice": "who joins again is looked at, not only the other tab",
    "SeatsWhoIsRemovedMeanwhile": "who is removed during a join is listened to, not only who has joined",
    "TakesThePlantedCookieOver": "a cookie that nobody issued is tried after a login with it, not only before",
    "LetsGuestsIn": "who has no cookie connects, and does not only ask to enter once more",
    "AdmitsWhoAsksAgain": "who was refused asks to enter once more, not only once",
    "MovesOneTabOut": "a new connection joins elsewhere, and not only one that has joined",
    "SparesTheTabsOfWhoSwitches": "a tab that has joined goes elsewhere, not only a new one",
    "LeavesForAMalformedJoin": "malformed requests to move are tried, not only those for another session",
    "NumbersMessagesAnew": "ids of messages are compared after the room was empty, not only in company",
    "EndsAllMembershipsOfItsMembers": "who may join is asked after another session was deleted, too",
    "EndsTheSessionWithItsGameMaster": "the game master's connection ends, not only a member's",
    "StoresTheTokenAsItWasRead": "a token is updated by two users at once, not only by one after the other",
    "TakesTheRemovedInAgain": "who was removed connects again a while later, not only at once",
    "ClearsTheTable": "tokens are looked at after all that may end none of them, not only in passing",
    "DeletesTheTokensOfItsMembers": "tokens are looked at after another session was deleted, too",
    "MovesNamesakes": "a token beside the one that is changed is looked at, not only that one",
    "ActsBeforeItRefuses": "what was refused is looked for where an answer was asked for, not only where none was",
}

_FAULTS: dict[str, Fault] = {}


def faulty(
    *breaks: str,
    also: Mapping[str, str] | None = None,
    beside: tuple[type[Seam], ...] = (),
    hides: bool = False,
    measured: bool = False,
) -> Callable[[type[Seam]], type[Seam]]:
    """Register a class as a faulty server; `beside` are further classes that make up the same fault."""

    def register(seam: type[Seam]) -> type[Seam]:
        if seam.__name__ in _FAULTS:
            raise ValueError(f"there are two faulty servers called {seam.__name__}")
        claim = inspect.getdoc(seam) or ""
        _FAULTS[seam.__name__] = Fault(
            name=seam.__name__,
            claim=claim,
            breaks=frozenset(breaks),
            also=also or {},
            seams=(seam, *beside),
            hides=hides,
            measured=measured,
        )
        return seam

    return register


def all_faults() -> Mapping[str, Fault]:
    """Return every faulty server by its name, in order of names, but for those that are only measured."""
    return {name: fault for name, fault in every_fault().items() if not fault.measured}


def every_fault() -> Mapping[str, Fault]:
    """Return every faulty server by its name, in order of names, those too that are only measured."""
    package = importlib.import_module("tests.mutants.servers")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_FAULTS.items()))


def default_set() -> Mapping[str, Fault]:
    """Return few of the faulty servers, so chosen that each requirement is broken by one of them.

    Those of the incidents, those that `ALWAYS_JUDGED` names, and of the others, one by one, the one that breaks
    most of the requirements still missing.
    """
    faults = all_faults()
    chosen = {name: faults[name] for name in ALWAYS_JUDGED.keys() | set().union(*INCIDENTS.values())}
    left = {requirement for fault in faults.values() for requirement in fault.breaks}
    left -= {requirement for fault in chosen.values() for requirement in fault.breaks}
    while left:
        best = max(faults.values(), key=lambda fault: len(fault.breaks & left))
        chosen[best.name] = best
        left -= best.breaks
    return dict(sorted(chosen.items()))
