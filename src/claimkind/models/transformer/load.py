"""How busy the machine is."""

import functools
import logging
import os

_LOGGER = logging.getLogger(__name__)
_BUSY = 0.5  # of the cores


@functools.cache
def mention_load() -> None:
    """Say in the log, once in a process, if other work keeps the machine busy."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load >= _BUSY * cores:
        _LOGGER.info(
            "other work keeps this machine busy and slows this down: load average %.1f on %d cores", load, cores
        )
