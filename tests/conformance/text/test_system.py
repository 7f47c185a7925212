"""What the system did not give, and how it says that a program ended, in words for people."""

from __future__ import annotations

import errno

import pytest

from dungeonlab_conformance.results.run import Run
from dungeonlab_conformance.text.system import how_ended, shortage


def after(fault: BaseException) -> BaseException:
    """Return what fails while another failure is handled."""
    try:
        try:
            raise fault
        finally:
            raise RuntimeError("the loop cannot be closed")
    except RuntimeError as second:
        return second


TOO_MANY = OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("fault", [TOO_MANY, after(TOO_MANY), ExceptionGroup("both", [TOO_MANY, ValueError()])])
def test_too_many_open_files_are_a_shortage(fault: BaseException) -> None:
    """Wherever in a chain of failures they are; a run that ends by it is cut short, and the suite has not failed."""
    assert "raise the limit" in (shortage(fault) or "")
    run = Run("the server")
    run.end_by(fault, str.upper)
    assert (run.fault, run.own_fault) == (shortage(fault), "")


def test_a_log_of_keys_that_cannot_be_written_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and its file; a file that cannot be written for another reason is none."""
    fault = FileNotFoundError(errno.ENOENT, "No such file or directory", "/no/such/file")
    assert shortage(fault) is None
    monkeypatch.setenv("SSLKEYLOGFILE", "/no/such/file")
    assert "SSLKEYLOGFILE names /no/such/file, which cannot be written: no such file" in (shortage(fault) or "")


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("can't start new thread"),
        ImportError("a.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_one_however_it_shows(fault: BaseException) -> None:
    """A run that ends by it is cut short, and the suite has not failed."""
    run = Run("the server")
    run.end_by(after(fault), str.upper)
    assert "more memory than there is" in (run.fault or "")
    assert run.own_fault == ""


def test_anything_else_is_the_suites_own_fault() -> None:
    """What it says may hold secrets."""
    run = Run("the server")
    run.end_by(after(OSError(errno.EACCES, "no")), str.upper)
    assert (run.fault, run.own_fault) == (None, "RUNTIMEERROR: THE LOOP CANNOT BE CLOSED")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("0", "ended by itself with 0"),
        ("137", "ended by itself with 137"),
        ("-9", "was ended by SIGKILL"),
        ("-999", "ended by itself with -999"),
        ("a code", "ended by itself with a code"),
    ],
)
def test_a_signal_that_ends_a_program_is_named(code: str, said: str) -> None:
    """A recording may hold a code that is no number, or no number of a signal: it is quoted."""
    assert how_ended(code, " by itself") == said
