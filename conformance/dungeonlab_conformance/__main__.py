"""``python -m dungeonlab_conformance``."""

from dungeonlab_conformance.cli import main

main()
