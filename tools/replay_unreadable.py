"""`python -m tools.replay_unreadable PROVIDER`: reads again what could not be read when it came.

For when a reader has learned what it did not know. Without `--stack` it is the embedded cloud's.
"""

import argparse
import sys

from retorno.messages import whatsapp
from retorno.telephony.providers import PROVIDERS
from tools.stack_function import InvocationFailed, invoke


def main() -> int:
    options = _options()
    try:
        result = invoke("ReplayPayloads", {"provider": options.provider}, options.stack)
    except InvocationFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"Read: {result['read']}. Still unreadable: {result['still_unreadable']}.")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.replay_unreadable", description=__doc__)
    parser.add_argument("provider", choices=sorted([*PROVIDERS, whatsapp.NAME]))
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
