"""A page that is watched while it is open: what it asks for, and what it complains about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

INLINE = ("data:", "blob:")


@dataclass
class Opened:
    """`page` is Playwright's; `asked` are addresses that it wanted, `said` its console messages and dialogs.

    The page itself may be asked for, and what lies under the address `beside` if there is one.
    """

    page: Any
    address: str
    beside: str = ""
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(60_000)  # ms; on a busy machine half a minute may pass
        self.page.context.route("**/*", self._let_through)
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", self._refuse)
        self.page.goto(self.address)

    def clean(self) -> None:
        """Fails if the page asked for anything that it may not, or said anything."""
        assert self.asked == []
        assert self.said == []

    def _let_through(self, route: Any) -> None:
        address = route.request.url
        own = address.split("#")[0] == self.address or address.startswith(INLINE)
        if own or (self.beside and address.startswith(self.beside)):
            route.continue_()
        else:
            self.asked.append(address)
            route.abort()

    def _refuse(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def window(browser: Any, address: str, beside: str = "", **context: Any) -> Iterator[Opened]:
    """The page in a window of its own, with options of Playwright's `new_context`; closed, and judged, at the end."""
    own = browser.new_context(**context)
    try:
        shown = Opened(own.new_page(), address, beside)
        yield shown
    finally:
        own.close()
    shown.clean()
