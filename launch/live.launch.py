"""
A policy and a recorder for a real controller, whose own bridge publishes states and readings.

    ros2 launch saferl_ros live.launch.py bundle:=runs/demo/cql record:=recording

It starts in shadow; ``--show-args`` lists the arguments.
"""

from launch import LaunchDescription
from saferl_ros.ros.launching import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    return launch_description('live')
