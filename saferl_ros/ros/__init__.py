"""
The ROS 2 nodes: a simulated street, the policy beside it, the incumbent, and the recorder.

Nodes are thin: message → value, a pure function or object, value → message. The only room that
imports ``rclpy`` and messages; ``names``, ``graph`` and the desks are pure.
"""
