"""A lifecycle node that survives what rclpy's own does not."""

from __future__ import annotations

from collections.abc import Callable
import traceback
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from saferl_ros.errors import SaferlError

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SteadyLifecycleNode(LifecycleNode):
    """
    Refuses illegal transitions with an answer, and says why a transition failed.

    In rclpy an illegal transition request raises out of ``spin`` and ends the node (rclpy issue
    1209), and whatever escapes from a transition's callback is swallowed without a word.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.last_problem = ''  # why the last transition failed, in words

    def _LifecycleNodeMixin__on_change_state(  # noqa: N802 - rclpy looks it up by this name
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            answer: ChangeState.Response = self._change_state_of_rclpy(request, response)
            return answer
        except Exception as error:  # noqa: BLE001 - rclpy raises types of its own
            label = request.transition.label or request.transition.id
            self.get_logger().error(f"transition '{label}' is not possible now: {error}")
            response.success = False
            return response

    def _change_state_of_rclpy(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> Any:
        return super()._LifecycleNodeMixin__on_change_state(request, response)

    def guarded(self, what: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        """
        Do the work of a transition.

        :param what: names the transition in the log.
        :returns: ``FAILURE``, with the reason in the log, if anything is raised.
        """
        try:
            work()
        except SaferlError as error:  # bad input: one clear line
            self.last_problem = str(error)
            self.get_logger().error(f'{what}: {error}')
            return FAILURE
        except Exception as error:  # noqa: BLE001 - rclpy would swallow it silently
            self.last_problem = f'{type(error).__name__}: {error}'
            self.get_logger().error(f'{what}: {traceback.format_exc()}')
            return FAILURE
        self.last_problem = ''
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured, so that an operator can try again."""
        self.get_logger().error('back to unconfigured after an error; configure again')
        return SUCCESS
