"""What goes wrong while clients are watched, put into the run: whose fault it is, in one sentence."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from dungeonlab_conformance.record.secrets.redaction import Secrets
from dungeonlab_conformance.results.errors import TargetFault, Unjudged
from dungeonlab_conformance.results.run import Run

_LOG = logging.getLogger(__name__)


@contextmanager
def accounted(run: Run, secrets: Secrets) -> Iterator[None]:
    """Have the run say what goes wrong in the block, and how long that took. What cancels it goes through."""
    began = time.monotonic()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it chokes on broken connections, and says so
    try:
        yield
    except (TargetFault, Unjudged) as fault:
        run.fault = secrets.redact(str(fault))
    except Exception as fault:  # the suite's own, whatever it is
        run.end_by(fault, secrets.redact)
        _LOG.debug("%s", secrets.redact("".join(traceback.format_exception(fault))))
    finally:
        run.seconds = time.monotonic() - began
