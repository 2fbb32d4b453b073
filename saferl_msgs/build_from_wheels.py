"""
Builds this package into the running virtual environment, from ROS wheels alone.

For machines without a ROS installation; where there is one, colcon builds it as any other package.
The wheels were made elsewhere and their CMake files name the Python of that machine: those paths
are set to this one's first.
"""

from __future__ import annotations

import os
from pathlib import Path
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import numpy as np

SOURCE = Path(__file__).resolve().parent
PREFIX = Path(sys.prefix)
ELSEWHERE = '/opt/python/cp311-cp311'  # where the wheels were made


def main() -> int:
    """Build and install; return the exit code."""
    if not shutil.which('cmake'):
        print('cmake is missing; install it (on Debian: apt-get install cmake g++)')
        return 2
    mend_python_paths()
    environment = {
        **os.environ,
        'PATH': f'{PREFIX / "bin"}{os.pathsep}{os.environ["PATH"]}',
        'AMENT_PREFIX_PATH': str(PREFIX),
        'CMAKE_PREFIX_PATH': str(PREFIX),
    }
    with tempfile.TemporaryDirectory(prefix='saferl_msgs_') as build:
        for command in (
            [
                *('cmake', '-S', str(SOURCE), '-B', build, '-Wno-dev'),
                f'-DCMAKE_INSTALL_PREFIX={PREFIX}',
                f'-DPython3_EXECUTABLE={sys.executable}',
                '-DBUILD_TESTING=OFF',
            ],
            ['cmake', '--build', build, '--parallel', str(os.cpu_count() or 1)],
            ['cmake', '--install', build],
        ):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                print(done.stdout[-4000:], done.stderr[-4000:], sep='\n')
                print(f'{" ".join(command[:2])} failed; nothing was installed')
                return 1
    print(f'saferl_msgs is installed in {PREFIX}')
    return 0


def mend_python_paths() -> None:
    """Point the wheels' CMake files to this Python and its numpy."""
    version = f'python{sys.version_info.major}.{sys.version_info.minor}'
    paths = {
        f'{ELSEWHERE}/lib/{version}/site-packages/numpy/_core/include': np.get_include(),
        f'{ELSEWHERE}/include/{version}': sysconfig.get_paths()['include'],
    }
    for file in (PREFIX / 'share').rglob('*.cmake'):
        text = mended = file.read_text(encoding='utf-8')
        for old, new in paths.items():
            mended = mended.replace(old, new)
        if mended != text:
            file.write_text(mended, encoding='utf-8')


if __name__ == '__main__':
    sys.exit(main())
