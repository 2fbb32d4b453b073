"""
A policy beside the controller that is in charge: bridge, fixed time, policy and recorder.

    ros2 launch saferl_ros shadow.launch.py bundle:=runs/demo/cql record:=recording

No lamp depends on the policy. ``saferl shadow-report recording`` tells what it would have done;
``--show-args`` lists the arguments.
"""

from launch import LaunchDescription
from saferl_ros.ros.launching import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return what ``ros2 launch`` runs."""
    return launch_description('shadow')
