"""After all that: the functions complain of nothing, and tell of nobody."""

from local import logs
from local.stack import Stack
from tests.stack.hostile.test_description import CUSTOMER
from tests.stack.hostile.test_input import NUMBER

# A menu keeps its caller whatever comes, and says so.
KEPT = "a caller has to wait"


def test_no_error_and_no_number(besieged: Stack) -> None:
    lines = list(logs.read(besieged, follow=False))
    assert lines
    errors = [line for line in lines if '"level":"ERROR"' in line or "Traceback" in line]
    assert [line for line in errors if KEPT not in line] == []
    for number in (CUSTOMER, NUMBER):
        assert [line for line in lines if number in line] == []
