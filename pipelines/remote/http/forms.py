"""The forms of a request, of which a server takes one: found at loading, since each server refuses others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from firstpacket.pipelines.remote.problems import ServerError

Form = dict[str, Any]
REFUSES_THE_FORM = (400, 415, 422)
"""What servers answer to a request with fields or values that they do not know."""


def accepted(send: Callable[[Form], None], forms: Iterable[Form]) -> Form:
    """The first form that the server takes. Raises `ServerError` with its first refusal if it takes none.

    `send` raises `ServerError` for a refusal.
    """
    first: ServerError | None = None
    for form in forms:
        try:
            send(form)
        except ServerError as error:
            if error.status not in REFUSES_THE_FORM:
                raise
            first = first or error
        else:
            return form
    assert first is not None, "there are forms to try"
    raise first
