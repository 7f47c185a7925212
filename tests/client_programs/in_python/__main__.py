"""The command line of a client: ``python -m tests.client_programs.in_python [--fault NAME | --habit NAME | --list]``.

Where it plays, and as whom, stands in the environment: DUNGEONLAB_URL and its likes. DUNGEONLAB_TRANSPORT is
websocket, polling or upgrade. It goes on until a signal; an error nobody caught ends it with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal

from tests.client_programs.in_python.faults import FAULTS
from tests.client_programs.in_python.habits import HABITS
from tests.client_programs.in_python.player import Player, Settings


async def play(kind: type[Player]) -> None:
    """Play as a player of this kind until a signal comes."""
    player = kind(Settings.read())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, player.stop)
    await player.run()


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.client_programs.in_python")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--fault", choices=FAULTS)
    which.add_argument("--habit", choices=HABITS)
    which.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        print(json.dumps({"faults": list(FAULTS), "habits": list(HABITS)}))
        return
    asyncio.run(play(FAULTS.get(asked.fault) or HABITS.get(asked.habit) or Player))


if __name__ == "__main__":
    main()
