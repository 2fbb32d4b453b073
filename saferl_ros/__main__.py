"""Lets ``python -m saferl_ros`` do what ``saferl`` does."""

from saferl_ros.cli.main import main

if __name__ == '__main__':
    raise SystemExit(main())
