"""
Offline-learned traffic signals behind a safety core.

The package follows one path, and each room is a subpackage named after its step:
``scenario → sumo → env → control → record → dataset → train → bundle → evaluate → report → ros``.
Importing the package loads neither torch nor SUMO nor ROS.
"""

__version__ = '0.1.0'
