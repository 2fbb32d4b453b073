"""ROS domains that tests share with nobody: two in one domain would hear each other's street."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
import random
import tempfile
import weakref

DOMAINS = range(1, 100)


SHARED_MEMORY = Path('/dev/shm')
PORT_BASE, PORTS_PER_DOMAIN = 7400, 250  # of DDS


def clear_shared_memory(domain_id: int) -> None:
    """
    Remove what killed participants of a domain left behind.

    Fast DDS does not clean up after a process that was killed, and a participant that meets such
    a left port may never hear the others.
    """
    first = PORT_BASE + PORTS_PER_DOMAIN * domain_id
    ports = set(range(first, first + PORTS_PER_DOMAIN))
    for pattern in ('fastrtps_port*', 'sem.fastrtps_port*'):
        for path in SHARED_MEMORY.glob(pattern):
            number = path.name.split('port')[-1].split('_')[0]
            if number.isdigit() and int(number) in ports:
                path.unlink(missing_ok=True)


class Domain:
    """
    A ROS domain that no other test on this machine has, for as long as this object lives.

    The claim is a lock on a file, so it goes with the process that made it, however it ends.
    """

    def __init__(self) -> None:
        for domain_id in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
            path = Path(tempfile.gettempdir()) / f'saferl_ros_domain_{domain_id}.lock'
            lock = os.open(path, os.O_CREAT | os.O_WRONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            self.id = domain_id
            clear_shared_memory(domain_id)
            weakref.finalize(self, os.close, lock)
            return
        raise RuntimeError('every ROS domain is taken by a test that still runs')
