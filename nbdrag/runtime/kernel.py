"""Being heard by a kernel that is busy: what a widget does so that Stop works during a cell.

A kernel handles a page's messages one after the other, and a cell that runs is one of them. Newer
front ends (JupyterLab from 4.4 on) name a *subshell* in a widget's messages: a second queue with a
thread of its own, so that a handler runs beside the cell. From ipykernel 7 on, that works:

====================  =======================================================
ipykernel 6           a message waits for the end of the cell
ipykernel 7.0 - 7.3   handled at once, if the message names a subshell
ipykernel 7.4         the same, but only with both functions below
====================  =======================================================

ipykernel 7.4 ignores the subshell that a message names, and sends it to whichever shell published
last on the widget's comm: to the cell's, if the cell did. `free_replies` gives the choice back to
the page. What a plain thread publishes has no shell at all; `SendingContext` lends it that of the
page's newest message (without it, 7.0 raises LookupError).

A widget uses them so, once its comm exists::

    self._sending = SendingContext()
    free_replies(self.comm)
    self.on_msg(self._sending.kept_by(self._on_message))
    ...
    self._sending.run(self.send, content, buffers=[data])  # on any thread

Its handlers may then run on any thread and beside each other: they must be short, guard what they
share, and touch neither traits nor pyplot.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class SendingContext:
    """The context variables of the newest message of the page, for sending from other threads."""

    def __init__(self) -> None:
        self._context = contextvars.copy_context()

    def kept_by(self, on_message: Callable[P, R]) -> Callable[P, R]:
        """The same handler, which first keeps the context it is called in."""

        @functools.wraps(on_message)
        def keeping(*args: P.args, **kwargs: P.kwargs) -> R:
            self._context = contextvars.copy_context()
            return on_message(*args, **kwargs)

        return keeping

    def run(self, send: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `send` in the kept context; several threads may do so at the same time."""
        return self._context.copy().run(send, *args, **kwargs)


def free_replies(comm: Any) -> bool:
    """Let the page's messages on this comm go to the subshell that they name.

    Returns whether the comm had other ideas: True with ipykernel 7.4. A private name of ipykernel
    is replaced on this one comm, if it is there; without it, there is nothing to do.
    """
    if not callable(getattr(comm, "_reply_subshell_for", None)):
        return False
    comm._reply_subshell_for = lambda data, default: default
    return True
