"""A connection to a server that sends what no server should: observed, and never a failure of the suite's own."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from tests.conformance.scripted_server import ENTERED, OPEN, over_websocket, serving

from dungeonlab_conformance.clients.actor import Actor, Unreadable
from dungeonlab_conformance.clients.connection import Refused
from dungeonlab_conformance.clients.raw.tcp import TcpConnection
