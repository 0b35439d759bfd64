"""The commands of the embedded cloud: `python -m local up`, `deploy`, `status`, `logs`, `live`,
`down`.
"""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path

from local import cloud, emulator, live, logs
from local.errors import CloudError
from local.stack import HOME, Stack


def main() -> int:
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except CloudError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # Who reads it has seen enough. What is left is written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--home", type=Path, default=HOME, help="where the cloud keeps its files")
    commands = parser.add_subparsers(required=True, metavar="command")
    up = commands.add_parser("up", help="start the cloud and deploy into it")
    up.add_argument("--port", type=int, help=f"default {emulator.DEFAULT_PORT}; 0 is a free one")
    up.add_argument("--stage", default=cloud.DEFAULT_STAGE, choices=["dev", "staging", "prod"])
    up.add_argument(
        "--set",
        type=_setting,
        action="append",
        metavar="NAME=VALUE",
        help="a parameter of the template, such as AreaCode=11; kept until others are chosen",
    )
    up.set_defaults(run=_up)
    commands.add_parser("deploy", help="deploy what changed").set_defaults(run=_deploy)
    commands.add_parser("status", help="say whether it runs, and where").set_defaults(run=_status)
    logs_parser = commands.add_parser("logs", help="show what the functions write")
    logs_parser.add_argument("-f", "--follow", action="store_true", help="until interrupted")
    logs_parser.set_defaults(run=_logs)
    live_parser = commands.add_parser("live", help="watch what a user may see, as it changes")
    live_parser.add_argument(
        "--as", dest="user", default="supervisor", choices=["agent", "supervisor", "admin"]
    )
    live_parser.add_argument("--queue", action="append", default=[], help="only of this; repeat")
    live_parser.set_defaults(run=_live)
    commands.add_parser("down", help="stop it; its state is kept").set_defaults(run=_down)
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _up(arguments: argparse.Namespace) -> None:
    settings = dict(arguments.set) if arguments.set else None
    stack = cloud.start(arguments.home, arguments.port, arguments.stage, settings)
    print(f"Up: {stack.api_url}")


def _deploy(arguments: argparse.Namespace) -> None:
    print(f"Deployed: {cloud.deploy(arguments.home).api_url}")


def _status(arguments: argparse.Namespace) -> None:
    process = emulator.require(arguments.home)
    print(f"Runs as process {process.pid}: {Stack.read(arguments.home).api_url}")


def _logs(arguments: argparse.Namespace) -> None:
    emulator.require(arguments.home)
    for line in logs.read(Stack.read(arguments.home), follow=arguments.follow):
        print(line, flush=True)


def _live(arguments: argparse.Namespace) -> None:
    emulator.require(arguments.home)
    stack = Stack.read(arguments.home)
    watcher = live.Watcher(stack.live_url, stack.tokens[arguments.user], arguments.queue)
    for change in watcher.follow():
        print(live.line(change, datetime.now().astimezone()), flush=True)


def _down(arguments: argparse.Namespace) -> None:
    cloud.stop(arguments.home)
    print("Stopped; the state is kept.")


if __name__ == "__main__":
    sys.exit(main())
