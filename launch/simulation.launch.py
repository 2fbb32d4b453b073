"""
A policy that commands a simulated street: the bridge and the policy, and a recorder if asked.

    ros2 launch saferl_ros simulation.launch.py bundle:=runs/demo/cql allow_ungated:=true

It needs a bundle with a passed gate, or ``allow_ungated:=true``. ``--show-args`` lists the rest.
"""

from launch import LaunchDescription
from saferl_ros.ros.launching import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    return launch_description('simulation')
