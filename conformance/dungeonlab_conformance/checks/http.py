"""The HTTP side of section 16, on servers that claim it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from dungeonlab_conformance.checks.registry import check
from dungeonlab_conformance.clients.http.fuzzer import ACCEPTED, DESCRIBED, REFUSED, Generator
from dungeonlab_conformance.clients.http.users import (
    HttpUser,
    HttpUsers,
    Reply,
    http_users,
    must_be_described,
    operations,
)
from dungeonlab_conformance.clients.receiver import Refused
from dungeonlab_conformance.invariants.content import same
from dungeonlab_conformance.record.arguments import quoted
from dungeonlab_conformance.record.observation import Request
from dungeonlab_conformance.results.errors import Broken, Unjudged
from dungeonlab_conformance.stage.stage import Stage
from dungeonlab_conformance.target.identity import Identity

_SHARE = 0.8  # of a scene's time limit, which generated requests may take
_LEAST = 16  # characters of a cookie that nobody guesses
_LONG = 200  # characters of a password, of which the description allows 1024
_HASHED = 72  # bytes that some ways of hashing look at
_TELLING = 6  # characters of an id or a name that do not stand in a random cookie by chance


@check("http/requests-answered-as-described")
async def every_operation(stage: Stage) -> None:
    """A host and a guest make each request of the description once, in an order in which each succeeds."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.anonymous("host"), await http.anonymous("guest")
        registered = {who: await _must_succeed(who, "register", who.credentials) for who in (host, guest)}
        host.id, guest.id = (_id(registered[who]) for who in (host, guest))
        await _must_succeed(guest, "logIn", guest.credentials)
        await _must_succeed(guest, "showMe")
        session = _id(await _must_succeed(host, "openSession", {"name": "conformance"}))
        await _must_succeed(host, "enrolParticipant", sessionId=session, userId=guest.id)
        await _must_succeed(guest, "showSession", sessionId=session)
        await _must_succeed(host, "openEncounter", {"name": "conformance"}, sessionId=session)
        await _must_succeed(host, "revokeParticipant", sessionId=session, userId=guest.id)
        await _must_succeed(host, "deleteSession", sessionId=session)
        await _must_succeed(guest, "logOut")
        await _must_succeed(guest, "showHealth")


async def _must_succeed(who: HttpUser, operation: str, body: object = None, **ids: str) -> Reply:
    reply = await who.must_be_answered(operations()[operation].success, operation, body, **ids)
    must_be_described(reply)
    return reply


def _id(reply: Reply) -> str:
    made: str = reply.json["id"]
    return made


@check("http/requests-answered-as-described")
async def a_user_without_a_display_name_has_none_anywhere(stage: Stage) -> None:
    """A guest registers without a display name; their own profile and that which the host sees fit the schema."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        await http.session(host, guest)
        for who in (guest, host):
            actor = await stage.actor(who.name, identity=Identity(who.name, who.id, who.cookies))
            with contextlib.suppress(Refused):  # a cookie that lets nobody in is another requirement's matter
                await actor.connect()
                await actor.try_send(Request("get-user-data", ({"userId": guest.id},), None, None))
        must_be_described(await guest.must_be_answered(200, "showMe"))


@check("http/errors-are-json")
async def errors_are_json(stage: Stage) -> None:
    """Each kind of refusal is caused once, and is JSON with a text and a code."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        nobody, session = await http.anonymous(), await http.session(host)
        for reply in (
            await nobody.try_send("showMe"),
            await nobody.try_send("logIn", {**host.credentials, "password": "wrong"}),
            await nobody.try_send("register", {"username": 5}),
            await nobody.try_send("register", host.credentials),
            await guest.try_send("deleteSession", sessionId=session),
            await host.try_send("showSession", sessionId="no-such-session"),
        ):
            if reply.status < 400:
                raise Unjudged(f"{reply.operation.method} {reply.operation.path} was not refused")
            body = reply.json if reply.content_type == "application/json" else None
            if not isinstance(body, dict) or not all(isinstance(body.get(k), str) for k in ("error", "code")):
                raise Broken("JSON with error and code", f"{reply}")


@check("http/login-needs-the-password")
async def logging_in_needs_the_password(stage: Stage) -> None:
    """The host's password logs in; others that resemble it do not, nor does a name without an account."""
    async with http_users(stage.target, stage.journal) as http:
        host, nobody = await http.user("host"), await http.anonymous()
        await nobody.send("logIn", host.credentials)
        thief = await http.anonymous("thief")
        alike = (
            f"{host.password}x",
            host.password[:-1],
            host.password.swapcase(),
            f" {host.password}",
            f"{host.password} ",
        )
        for password in ("wrong", *alike):
            await _must_stay_out(thief, {**host.credentials, "password": password})
        await _must_stay_out(thief, thief.credentials)


@check("http/login-needs-the-password")
async def all_of_a_long_password_is_needed(stage: Stage) -> None:
    """The host has a long password; another one that begins like it does not log in, nor does its beginning."""
    async with http_users(stage.target, stage.journal) as http:
        host, thief = await http.anonymous("host"), await http.anonymous("thief")
        host.password = (host.password * _LONG)[:_LONG]
        await host.send("register", host.credentials)
        await host.send("logIn", host.credentials)
        for other in (host.password[:-1] + "~", host.password[:_HASHED] + "~", host.password[:_HASHED]):
            await _must_stay_out(thief, {**host.credentials, "password": other})


async def _must_stay_out(who: HttpUser, credentials: dict[str, str]) -> None:
    await who.must_be_answered(401, "logIn", credentials)
    await who.must_be_answered(401, "showMe")


@check("http/username-taken-once")
async def a_username_is_taken_once(stage: Stage) -> None:
    """The host registers; nobody else can under the same name, and the host's password remains valid.

    Of some who register one name at the same time one can.
    """
    async with http_users(stage.target, stage.journal) as http:
        host, thief = await http.user("host"), await http.anonymous("thief")
        await thief.must_be_answered(409, "register", {"username": host.username, "password": thief.password})
        await host.must_be_answered(200, "logIn", host.credentials)
        await _one_must_have_it(await http.anonymous("first"), await http.anonymous("second"), thief)


async def _one_must_have_it(first: HttpUser, *others: HttpUser) -> None:
    """Have several register the name of the first at the same time, with passwords of their own."""
    bodies = [{"username": first.username, "password": who.password} for who in (first, *others)]
    replies = await asyncio.gather(
        *(who.try_send("register", body) for who, body in zip((first, *others), bodies, strict=True))
    )
    made = sum(reply.status == operations()["register"].success for reply in replies)
    if made > 1:
        raise Broken(f"one of {len(replies)} who register a name at the same time to have it", f"{made} have it")


async def _session_cookies(who: HttpUser, reply: Reply) -> dict[str, set[str]]:
    """Return the attributes of each cookie that alone proves who somebody is."""
    found = {}
    for header in reply.set_cookies:
        name, _, value = header.partition(";")[0].partition("=")
        try:
            SimpleCookie()[name] = value
        except CookieError:
            continue  # no cookie, whatever the header says
        if (await who.try_send("showMe", cookies={name: value})).status == 200:
            found[name] = {part.strip().lower() for part in header.split(";")[1:]}
    if not found:
        raise Unjudged("no single cookie of a login proves who somebody is")
    return found


@check("http/cookie-out-of-reach")
async def the_cookie_is_out_of_reach(stage: Stage) -> None:
    """The cookies of registering and of logging in are kept from scripts, other sites and, over https, plain http."""
    wanted = ["httponly", "samesite=lax", *(["secure"] if urlsplit(stage.target.url).scheme == "https" else [])]
    async with http_users(stage.target, stage.journal) as http:
        host = await http.anonymous("host")
        for operation in ("register", "logIn"):
            reply = await host.must_be_answered(operations()[operation].success, operation, host.credentials)
            for name, attributes in (await _session_cookies(host, reply)).items():
                held = attributes | ({"samesite=lax"} if "samesite=strict" in attributes else set())
                if missing := [attribute for attribute in wanted if attribute not in held]:
                    raise Broken(f"the cookie {name} to have {', '.join(wanted)}", f"no {', '.join(missing)}")


@check("http/cookie-is-random")
async def the_cookie_is_random(stage: Stage) -> None:
    """The host logs in twice and gets two cookies, long ones that do not contain its id or name."""
    async with http_users(stage.target, stage.journal) as http:
        host = await http.user("host")
        seen: list[dict[str, str]] = []
        for _ in range(2):
            reply = await host.try_send("logIn", host.credentials)
            names = await _session_cookies(host, reply)
            seen.append({name: host.cookies.get(name, "") for name in names})
        for name, value in seen[0].items():
            if value == seen[1].get(name):
                raise Broken("each login to have a cookie of its own", f"the same {name} twice")
            if len(value) < _LEAST:
                raise Broken(f"at least {_LEAST} characters that nobody can guess", f"{len(value)} in {name}")
            if any(len(who) >= _TELLING and who in value for who in (host.id, host.username)):
                raise Broken("an opaque cookie", f"{name} tells the user's id or name")


@check("http/cookie-is-random")
async def a_cookie_is_not_what_was_sent(stage: Stage) -> None:
    """The host registers and logs in while sending a made-up cookie, and logs in while sending one that was logged out.

    Neither proves afterwards who the host is: one who has planted it in the browser would be let in, too.
    """
    async with http_users(stage.target, stage.journal) as http:
        host, newcomer = await http.user("host"), await http.anonymous("newcomer")
        names = await _session_cookies(host, await host.try_send("logIn", host.credentials))
        ended = {name: host.cookies[name] for name in names if name in host.cookies}
        await host.must_be_answered(204, "logOut")
        made_up = [_made_up(ended) for _ in range(2)]
        for who, operation, planted in (
            (newcomer, "register", made_up[0]),
            (host, "logIn", made_up[1]),
            (host, "logIn", ended),
        ):
            if (await who.try_send("showMe", cookies=planted)).status == 200:
                raise Unjudged("a cookie that is not valid proves who somebody is")
            await who.try_send(operation, who.credentials, cookies=planted)
            for name, value in planted.items():
                if (reply := await who.try_send("showMe", cookies={name: value})).status == 200:
                    raise Broken(
                        f"{operation} to give out a new {name}, and not to take over what was sent", f"{reply}"
                    )


def _made_up(cookies: dict[str, str]) -> dict[str, str]:
    """Return cookies of the same names and lengths, by chance none that was given out."""
    return {name: secrets.token_hex(len(value))[: len(value)] for name, value in cookies.items()}


@check("http/cookie-needed")
async def the_cookie_is_needed(stage: Stage) -> None:
    """Each operation that needs a login is refused without a cookie, and with a made-up one."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        ids = {"sessionId": await http.session(host), "userId": guest.id}
        for cookies in ({}, {name: "f" * len(value) for name, value in host.cookies.items()}):
            for row in operations().values():
                if row.needs_login:
                    body = {"name": "conformance"} if row.method == "POST" and row.id != "logOut" else None
                    needed = {key: value for key, value in ids.items() if "{" + key + "}" in row.path}
                    await host.must_be_answered(401, row.id, body, cookies=cookies, **needed)


@check("http/logout-ends-the-login")
async def logging_out_ends_the_login(stage: Stage) -> None:
    """The host's cookie is accepted; after the host logs out, a copy of it is refused, whatever is asked with it."""
    async with http_users(stage.target, stage.journal) as http:
        host = await http.user("host")
        kept = host.cookies
        if (await host.try_send("showMe", cookies=kept)).status != 200:
            raise Unjudged("the cookies of a login do not prove who somebody is")
        session = await http.session(host)
        await host.must_be_answered(200, "showSession", cookies=kept, sessionId=session)
        await host.must_be_answered(204, "logOut")
        await host.must_be_answered(401, "showMe", cookies=kept)
        await host.must_be_answered(401, "showSession", cookies=kept, sessionId=session)
        await host.must_be_answered(401, "openSession", {"name": "conformance"}, cookies=kept)
        await host.try_send("logIn", host.credentials)  # to delete the session


@check("http/caller-becomes-game-master")
async def the_caller_becomes_game_master(stage: Stage) -> None:
    """The host opens a session and enrols the guest; the host is the game master, the guest the only participant.

    So it is if the host names the guest for both.
    """
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        session = await http.session(host, guest)
        shown = await host.send("showSession", sessionId=session)
        if shown.get("gameMasterId") != host.id:
            raise Broken(f"the host's id {host.id!r}", quoted(shown.get("gameMasterId")), "$.gameMasterId")
        if shown.get("participantIds") != [guest.id]:
            raise Broken(f"the guest alone, {[guest.id]}", quoted(shown.get("participantIds")), "$.participantIds")
        claims = {"gameMasterId": guest.id, "participantIds": [guest.id]}
        made = await host.try_send("openSession", {"name": "conformance", **claims})
        if made.status != 201 or not isinstance(made.json, dict):
            return  # a body that says more than it should may be refused
        for key, right in (("gameMasterId", host.id), ("participantIds", [])):
            if made.json.get(key) != right:
                raise Broken(f"{quoted(right)}, whatever the body says", quoted(made.json.get(key)), f"$.{key}")


@check("http/session-for-members")
async def a_session_is_shown_to_members(stage: Stage) -> None:
    """Host and guest may see the session; a stranger may not, nor may the guest after the membership is revoked.

    The host has enrolled the guest twice, where that is not refused: one revocation ends it all the same. Revoking the
    stranger, who is no participant, ends nothing of the guest's. The host may see it who was a participant too, for a
    while, where that is not refused.
    """
    async with http_users(stage.target, stage.journal) as http:
        host, guest, stranger = await _three(http)
        session = await http.session(host, guest)
        for member in (host, guest):
            await member.must_be_answered(200, "showSession", sessionId=session)
        await stranger.must_be_answered(403, "showSession", sessionId=session)
        await host.try_send("revokeParticipant", sessionId=session, userId=stranger.id)
        await guest.must_be_answered(200, "showSession", sessionId=session)
        await host.try_send("enrolParticipant", sessionId=session, userId=guest.id)
        await host.send("revokeParticipant", sessionId=session, userId=guest.id)
        await guest.must_be_answered(403, "showSession", sessionId=session)
        await host.try_send("enrolParticipant", sessionId=session, userId=host.id)
        await host.try_send("revokeParticipant", sessionId=session, userId=host.id)
        await host.must_be_answered(200, "showSession", sessionId=session)


@check("http/game-master-only")
async def what_only_the_game_master_may_do(stage: Stage) -> None:
    """A guest and a stranger may not enrol, revoke, open an encounter or delete, and nothing changes.

    Each of them is the game master of another session.
    """
    async with http_users(stage.target, stage.journal) as http:
        host, guest, stranger = await _three(http)
        session = await http.session(host, guest)
        for who in (guest, stranger):
            await http.session(who)
        before = (await host.send("showSession", sessionId=session)).get("participantIds")
        for who in (guest, stranger):
            await who.must_be_answered(403, "enrolParticipant", sessionId=session, userId=stranger.id)
            await who.must_be_answered(403, "revokeParticipant", sessionId=session, userId=guest.id)
            await who.must_be_answered(403, "openEncounter", {"name": "conformance"}, sessionId=session)
            await who.must_be_answered(403, "deleteSession", sessionId=session)
        after = (await host.send("showSession", sessionId=session)).get("participantIds")
        if not same(after, before):
            raise Broken(f"the participants to stay {quoted(before)}", quoted(after), "$.participantIds")


async def _three(http: HttpUsers) -> tuple[HttpUser, HttpUser, HttpUser]:
    return await http.user("host"), await http.user("guest"), await http.user("stranger")


@check("http/unknown-is-not-found")
async def what_is_not_there_is_not_found(stage: Stage) -> None:
    """A session that never existed, one that was deleted, and a user who does not exist are not found."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        session, gone = await http.session(host), await http.session(host, guest)
        await host.send("deleteSession", sessionId=gone)
        for unknown in ("no-such-session", gone):
            await host.must_be_answered(404, "enrolParticipant", sessionId=unknown, userId=guest.id)
            await host.must_be_answered(404, "showSession", sessionId=unknown)
            await host.must_be_answered(404, "openEncounter", {"name": "conformance"}, sessionId=unknown)
            await host.must_be_answered(404, "deleteSession", sessionId=unknown)
        await host.must_be_answered(404, "enrolParticipant", sessionId=session, userId="no-such-user")


@check(ACCEPTED, REFUSED, DESCRIBED, destructive=1)
async def generated_requests(stage: Stage) -> None:
    """A host makes requests that schemathesis generates, valid and invalid ones, for each operation."""
    async with http_users(stage.target, stage.journal) as http:
        host, guest = await http.user("host"), await http.user("guest")
        session = await http.session(host)
        seconds = _SHARE * stage.target.limits.scene
        generator = Generator(stage.target, host.cookies, session, guest.id, seconds)
        try:
            await asyncio.to_thread(generator.run)
        finally:
            generator.stopped.set()
        for requirement in (ACCEPTED, REFUSED, DESCRIBED):
            for operation in operations():
                await stage.judge(requirement, _must_be_without_findings(generator, operation, requirement))


async def _must_be_without_findings(generator: Generator, operation: str, requirement: str) -> None:
    if (broken := generator.found.get((operation, requirement))) is not None:
        raise broken
    if not generator.complete:
        raise Unjudged(f"not every generated request was answered within {generator.seconds:.0f} s")
