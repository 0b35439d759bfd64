"""Loads a handler and hands it one event, in the Python of what was built: `HANDLER` and on stdin
the event in, the modules of which something ran out, as JSON.
"""

import json
import sys
from contextlib import suppress
from importlib import import_module
from types import FrameType, SimpleNamespace

# Stands in what `-X importtime` says, between what was loaded before the event and after.
LOADED = "loaded"

CONTEXT = SimpleNamespace(
    function_name="function",
    memory_limit_in_mb=512,
    invoked_function_arn="arn",
    aws_request_id="request",
    get_remaining_time_in_millis=lambda: 29_000,
)


def main(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    handle = getattr(import_module(module), name)
    event = json.load(sys.stdin)
    print(LOADED, file=sys.stderr)
    ran: set[str] = set()

    def note(frame: FrameType, _event: str, _arg: object) -> None:
        ran.add(frame.f_code.co_filename)

    sys.setprofile(note)
    # It is asked for what it does on the way, which a refusal is, too.
    with suppress(Exception):
        handle(event, CONTEXT)
    sys.setprofile(None)
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    # What the function said comes before it.
    print(f"\n{json.dumps([name for name, file in files.items() if file in ran])}")


if __name__ == "__main__":
    main(sys.argv[1])
