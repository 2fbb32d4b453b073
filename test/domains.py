"""ROS domains that tests share with nobody: two in one domain would hear each other's street."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
import random
import tempfile
import weakref

DOMAINS = range(1, 100)
# no shared memory: a killed node may leave a half-made port there (fastrtps_port7003 and so on, of
# no domain in particular), and whoever opens that waits for ever
MIDDLEWARE = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST', 'FASTDDS_BUILTIN_TRANSPORTS': 'UDPv4'}


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
            weakref.finalize(self, os.close, lock)
            return
        raise RuntimeError('every ROS domain is taken by a test that still runs')
