"""
Recordings of a street: how they are written and read, and the way back into learning.

Needs ``rosbags``, no ROS installation: an agency can look at its recording anywhere.
"""
