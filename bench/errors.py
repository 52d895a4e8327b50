"""All errors that are explained to the user.

    BenchError                     one message: what happened, why, what to do next
    ├── UsageError                 the command line, a config file or an option is wrong
    │   ├── EmptyValue             an option without a value: a variable that is not set
    │   └── UnknownName            a pipeline, engine, corpus or option that does not exist
    ├── MissingDependency          an extra, a system library or a device is missing
    ├── CorpusError                a manifest or a recording cannot be used
    ├── RunError                   a run folder cannot be written, read, resumed or compared
    │   ├── NotComparable          two versions or runs differ in what must match
    │   └── InvalidRun             conditions during the run make its figures unusable; it is kept
    ├── WeightsError               model weights are missing, misshapen or of the wrong kind
    ├── CheckFailed                a check was carried out and failed
    ├── Stopped                    the user stopped a run
    └── WorkerError                a worker process broke its protocol, died or did not answer

The command line prints the message of a `BenchError` without a traceback and exits with `exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def install_command(*extras: str) -> str:
    """The command that installs extras of this distribution, from the checkout if this code runs from one."""
    checkout = Path(__file__).resolve().parent.parent
    what = (
        f"-e '{checkout}[{','.join(extras)}]'"
        if (checkout / "pyproject.toml").exists()
        else f"'firstpacket[{','.join(extras)}]'"
    )
    return f"pip install {what}"


class BenchError(Exception):
    """A failure with a message meant for people: what happened, why, and what to do next."""

    exit_code = 3


class UsageError(BenchError):
    """Raised when flags, a config file or pipeline options are wrong."""

    exit_code = 2


class EmptyValue(UsageError):
    """Raised for an option that was given an empty value; in CI that is a variable that is not set."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option}: the value is empty (unset shell variable?). Pass a value, or omit {option}.")


MOST_NAMES = 16
"""So many names are listed even if one of them is probably meant."""


class UnknownName(UsageError):
    """Raised for an unknown name; suggests the closest known one."""

    def __init__(self, what: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        if near and len(names) > MOST_NAMES:
            listing = ""
        else:
            listing = f" Known: {', '.join(names)}." if names else " None are available here."
        super().__init__(f"Unknown {what} '{name}'.{guess}{listing}{' ' + hint if hint else ''}")


class MissingDependency(BenchError):
    """Raised when a package, library or device is missing."""


class CorpusError(BenchError):
    """Raised when a corpus, its manifest or one of its recordings cannot be used."""


class RunError(BenchError):
    """Raised when a run folder cannot be written, read, resumed or compared."""


class WeightsError(BenchError):
    """Raised when model weights are missing, misshapen, or of the wrong kind."""


class NotComparable(RunError):
    """Raised when two versions or runs differ in what must match; lists every reason."""

    exit_code = 13


class InvalidRun(RunError):
    """Raised when conditions during a run make its figures unusable; its folder is kept."""

    exit_code = 13


class CheckFailed(BenchError):
    """Raised when a check was carried out and failed."""

    exit_code = 1


class Stopped(BenchError):
    """Raised when the user stopped a run; the message has the command to resume it."""

    exit_code = 130


class WorkerError(BenchError):
    """Raised when a worker process breaks its protocol, dies or does not answer."""


@contextmanager
def explained(what: str, advice: str = "", kind: type[BenchError] = RunError) -> Iterator[None]:
    """Raises an `OSError` of the block as a `kind`: what could not be done, why, and what to do next."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {error.strerror}. {advice}".rstrip()) from error
