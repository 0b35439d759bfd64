"""`python -m local.simulate`: days of a small call centre in minutes, against the running stack.

Its calls are sent as a provider would, and its operators ring back whom the API's list of open
missed calls holds. Agents work through a telemarketing campaign. Then it goes on in real time, with
a telephone system that Retorno places its calls through, quotes, conversations on WhatsApp, and
somebody who watches live. At the end, what the API knows is compared with what really happened; the
exit code is 1 where they differ.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local.client import Client
from local.errors import CloudError
from local.simulate.centre import Centre
from local.simulate.headlines import Dashboard, happened
from local.simulate.live import Live, go_live
from local.simulate.play import Play
from local.simulate.telemarketing import work_through
from local.simulate.verdict import Verdict, verdict_on
from local.simulate.view import watching
from local.stack import HOME
from local.words import figures

SHOWN_DIFFERENCES = 10
# The dashboard counts in seconds, but calls whose end never came are closed once a minute.
COUNTED_WITHIN = 60
# A missed call expires after seven days.
MOST_DAYS = 6


def main() -> int:
    options = _options()
    try:
        with Client.of_stack(options.home) as client:
            return _simulate(client, options)
    except CloudError as error:
        print(error, file=sys.stderr)
        return 1


def _simulate(client: Client, options: argparse.Namespace) -> int:
    end = datetime.now(UTC)
    start = end - timedelta(days=options.days)
    centre = Centre(options.seed, start, end, options.customers, options.agents)
    play = Play(client, centre, start)
    dashboard = Dashboard(client, start)
    print(play.introduce())
    try:
        with watching(plain=options.plain) as show:
            play.run(options.minutes, show)
        print("All is told. Telemarketing, until calls whose end was lost are closed (a minute)…")
        with watching(plain=options.plain) as show:
            telemarketing = work_through(client, centre, options.seed, options.home, show)
        play.differences()
        print("Going live…")
        with watching(plain=options.plain) as show:
            live = go_live(centre, options.live, options.seed, options.home, show)
        print("Comparing…")
        differences = play.differences()
        dashboard.expected = happened(
            centre.begun,
            live.scene.switch.all_calls(),
            centre.truth.outcomes().values(),
            live.scene.sales.quotes,
        )
        counted = verdict_on(dashboard, COUNTED_WITHIN)
    except KeyboardInterrupt:
        print("Stopped early: the API was not compared with what happened.")
        _print_summary(play)
        return 0
    _print_verdict(centre, differences)
    _print_live_verdict(live)
    verdicts = [telemarketing, *live.verdicts, counted]
    for verdict in verdicts:
        _print_verdict_on(verdict)
    _print_summary(play)
    _print_next_steps(client, options.home)
    found = [differences, live.disagreements, *(verdict.differences for verdict in verdicts)]
    return int(any(found))


def _print_summary(play: Play) -> None:
    print("  ".join(f"{name} {value}" for name, value in figures(play.summary())))


def _print_verdict(centre: Centre, differences: Sequence[str]) -> None:
    outcomes = centre.truth.outcomes()
    counts = Counter(outcome.state for outcome in outcomes.values())
    happened = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    if not differences:
        print(f"The API agrees on all {len(outcomes)} missed calls: {happened}.")
        return
    print(
        f"Of {len(outcomes)} missed calls ({happened}) the API tells {len(differences)} otherwise:"
    )
    _print_some(differences)


def _print_live_verdict(live: Live) -> None:
    print(f"Live: {live.figures()}.")
    if not live.disagreements:
        print("The exchange agrees: no dial beyond a limit, nobody in two calls or left reserved.")
        return
    print(f"The exchange tells {len(live.disagreements)} otherwise:")
    _print_some(live.disagreements)


def _print_verdict_on(verdict: Verdict) -> None:
    count = len(verdict.differences)
    agrees = f"the API tells {count} otherwise:" if count else "the API agrees."
    print(f"{verdict.name}: {verdict.happened}; {agrees}")
    _print_some(verdict.differences)


def _print_some(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN_DIFFERENCES]:
        print(f"  {line}")


def _print_next_steps(client: Client, home: Path) -> None:
    file = os.path.relpath(home / "stack.json")
    read_token = f"import json; print(json.load(open('{file}'))['tokens']['supervisor'])"
    elsewhere = "" if home == HOME else f" --home {os.path.relpath(home)}"
    print("\nLook further, while the stack is up:")
    print(f'  TOKEN=$(python3 -c "{read_token}")')
    print(f'  curl -H "Authorization: Bearer $TOKEN" "{client.api_url}/missed-calls?state=open"')
    print(f'  curl -H "Authorization: Bearer $TOKEN" "{client.api_url}/dashboard?group_by=hour"')
    print(f"  .venv/bin/python -m local{elsewhere} live --as supervisor")
    print(f"  {client.api_url}/openapi.json")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.simulate", description=__doc__)
    add = parser.add_argument
    add("--days", type=int, default=1, choices=range(1, MOST_DAYS + 1), help="simulated days")
    add("--minutes", type=float, default=1, help="how long they take")
    add("--live", type=_count, default=90, help="seconds that it goes on in real time")
    add("--customers", type=_count, default=600, help="each rings about once a day")
    add("--agents", type=_count, default=10, help="in two shifts")
    add("--seed", type=int, default=1, help="the same seed makes the same people and habits")
    add("--plain", action="store_true", help="lines instead of a live screen")
    add("--home", type=Path, default=HOME, help="where `python -m local up` keeps its stack")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
