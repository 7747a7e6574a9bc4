"""Signals that end a script: Ctrl-C, SIGTERM and the end of the terminal.

Python calls the handler of a signal between any two instructions. What it raises there can be lost, in a destructor for
example, or leave a database session half done. A signal is therefore remembered, and acted on after the call of the
store in which it arrives; one that was lost is acted on at the next call.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _State:
    """Of the main thread, which alone handles signals."""

    blocks = 0
    """How many blocks of `exit_on_signals` are open."""
    deferring = 0
    """How many blocks of `signals_deferred` are open."""
    received: list[int] = []  # noqa: RUF012 - there is one state


@contextlib.contextmanager
def exit_on_signals() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on Ctrl-C and `SystemExit` on SIGTERM and SIGHUP, so that the block can clean up.

    A signal that is ignored, as by nohup, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    _State.blocks += 1
    for number in before:
        signal.signal(number, _receive)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _State.blocks -= 1
        if not _State.blocks:
            _State.received.clear()


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Act on the first signal that arrives within the block after it, and on a second one at once."""
    known = len(_State.received)
    _State.deferring += 1
    try:
        yield
    finally:
        _State.deferring -= 1
    if not _State.deferring and len(_State.received) > known:
        act_on_signal()


def act_on_signal() -> None:
    """Raise the exception of the first signal that was received, if there is one; see `exit_on_signals`."""
    if not _State.received:
        return
    if _State.received[0] == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + _State.received[0])


def signal_received() -> bool:
    """Whether a signal has come that ends the script."""
    return bool(_State.received)


def _receive(number: int, _: Any) -> None:
    _State.received.append(number)
    if not _State.deferring or len(_State.received) > 1:
        act_on_signal()
