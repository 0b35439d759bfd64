"""`python -m tools.report_voicemail [DAY]`: writes voicemail reports now, and shows the newest.

That of the week which a day is in, or without a day those of the last whole weeks, as is done
every Monday. Without `--stack` it is the embedded cloud's.
"""

import argparse
import sys
from datetime import date
from typing import Any

from tools.stack_function import InvocationFailed, invoke


def main() -> int:
    options = _options()
    event = {"week": options.day.isoformat()} if options.day else {}
    try:
        newest, *_ = invoke("ReportVoicemail", event, options.stack)
    except InvocationFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(_words(newest))
    return 0


def _words(report: dict[str, Any]) -> str:
    lines = [
        f"Week of {report['week']}: {report['answered']} outbound calls were answered, "
        f"{report['human']} by a person, {report['voicemail']} by a voicemail, "
        f"{report['unknown']} unknown; {report['suspects']} still to be listened to."
    ]
    for each in report["agreement_by_carrier"]:
        lines.append(
            f"{each['carrier']}: {each['threshold_seconds']:g} s of talk agree with "
            f"{each['agreement']:.0%} of {each['judged']} words of people; "
            f"{each['best_threshold_seconds']} s would with {each['best_agreement']:.0%}."
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.report_voicemail", description=__doc__)
    parser.add_argument("day", nargs="?", type=date.fromisoformat, help="such as 2026-03-02")
    parser.add_argument("--stack", help="the name of a stack in AWS, in your region there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
