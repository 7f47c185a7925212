"""What a class named as ``adapter`` in a target's file derives from. The documentation promises this import path."""

from dungeonlab_conformance.target.adapter import Adapter

__all__ = ["Adapter"]
