"""The real-time protocol of DungeonLab as data, and what reads it.

`Catalogue.load()` gives the events and requirements; `validate` judges one payload.
"""

from dungeonlab_spec.catalogue import Catalogue, Event, Level, Requirement, Side
from dungeonlab_spec.payloads import Direction
from dungeonlab_spec.validation import Violation, accepts, validate

__all__ = ["Catalogue", "Direction", "Event", "Level", "Requirement", "Side", "Violation", "accepts", "validate"]
