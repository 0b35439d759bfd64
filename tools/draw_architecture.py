"""Draws docs/architecture.md from template.yaml: its rooms, and what leads to what in each.

A room is what stands under one heading of the template. What a function does to a table or a queue
is what its policies allow.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
DOCUMENT = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- drawn by `make architecture` -->", "<!-- until here -->"

HEADING = re.compile(r"^  # --- (.+?) -+$")
RESOURCE = re.compile(r"^  (\w+):$")
NAMED = re.compile(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)[.}]')

FUNCTION, TABLE, QUEUE = "AWS::Serverless::Function", "AWS::DynamoDB::Table", "AWS::SQS::Queue"
INTEGRATION = "AWS::ApiGatewayV2::Integration"
# How each kind is drawn.
SHAPES = {
    FUNCTION: "({})",
    TABLE: "[({})]",
    QUEUE: "[[{}]]",
    "AWS::S3::Bucket": "[/{}/]",
    "AWS::Events::EventBus": ">{}]",
    "AWS::Scheduler::ScheduleGroup": ">{}]",
}
# What has functions run: a change that they follow, or a message to them.
LEADING = {(TABLE, FUNCTION), (FUNCTION, QUEUE), (QUEUE, FUNCTION)}
WRITES = frozenset(
    {
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "sqs:SendMessage",
        "s3:PutObject",
        "s3:DeleteObject",
        "events:PutEvents",
        "scheduler:CreateSchedule",
    }
)
READS = frozenset({"dynamodb:GetItem", "dynamodb:Query", "dynamodb:BatchGetItem", "s3:GetObject"})

Edge = tuple[str, str, str]


@dataclass(frozen=True)
class Architecture:
    source: str
    """The template's text."""

    @cached_property
    def resources(self) -> dict[str, Any]:
        resources: dict[str, Any] = yaml_parse(self.source)["Resources"]
        return resources

    @cached_property
    def rooms(self) -> dict[str, list[str]]:
        """What is drawn of each room, by its heading."""
        rooms: dict[str, list[str]] = {}
        for line in self.source.partition("\nResources:\n")[2].splitlines():
            if heading := HEADING.match(line):
                found = rooms.setdefault(heading[1], [])
            elif (name := RESOURCE.match(line)) and self._is_drawn(name[1]):
                found.append(name[1])
        return {
            heading: names
            for heading, names in rooms.items()
            if any(self._kind(name) == FUNCTION for name in names)
        }

    def _kind(self, name: str) -> str:
        kind: str = self.resources.get(name, {}).get("Type", "")
        return kind

    @cached_property
    def _dead_letters(self) -> set[str]:
        followed = {
            event["Properties"]["Queue"]["Fn::GetAtt"][0]
            for name in self.resources
            for event in self._events(name)
            if event["Type"] == "SQS"
        }
        queues = {name for name in self.resources if self._kind(name) == QUEUE}
        return queues - followed

    def _is_drawn(self, name: str) -> bool:
        return self._kind(name) in SHAPES and name not in self._dead_letters

    def _events(self, name: str) -> Iterable[Mapping[str, Any]]:
        is_function = self._kind(name) == FUNCTION
        return self.resources[name]["Properties"].get("Events", {}).values() if is_function else ()

    def _done(self, function: str, actions: frozenset[str]) -> set[str]:
        """The resources to which the function may do one of these."""
        return {
            name
            for policy in self.resources[function]["Properties"].get("Policies", ())
            for statement in policy["Statement"]
            # What is allowed on a condition is of no resource that is drawn.
            if not actions.isdisjoint(_many(statement.get("Action", [])))
            for name in _named(statement["Resource"])
            if self._is_drawn(name)
        }

    def _triggers(self, function: str) -> Iterator[Edge]:
        routes = 0
        for event in self._events(function):
            told = event["Properties"]
            match event["Type"]:
                case "HttpApi":
                    routes += 1
                case "SQS":
                    yield told["Queue"]["Fn::GetAtt"][0], "-->", function
                case "DynamoDB":
                    yield told["Stream"]["Fn::GetAtt"][0], "-. stream .->", function
                case "ScheduleV2":
                    often = _how_often(told["ScheduleExpression"])
                    node = f"{often.title().replace(' ', '')}{function}"
                    yield f"{node}([{often}])", "-->", function
                case "EventBridgeRule":
                    for name in _named(told["Pattern"]):
                        yield name, "-. object .->", function
        if routes:
            yield f"Api{function}{{{{{routes} route{'s' * (routes > 1)}}}}}", "-->", function
        for name, resource in self.resources.items():
            if self._kind(name) == INTEGRATION and function in _named(resource["Properties"]):
                yield f"{name}{{{{WebSocket}}}}", "<-->", function

    def edges(self, heading: str) -> list[Edge]:
        """What leads to what in a room: what has its functions run, what they write, and what of
        the room they only read."""
        names = self.rooms[heading]
        found: list[Edge] = []
        for function in (name for name in names if self._kind(name) == FUNCTION):
            found += self._triggers(function)
            written = self._done(function, WRITES)
            read = self._done(function, READS) & set(names) - written
            found += [(function, "-->", each) for each in sorted(written)]
            found += [(each, "-.->", function) for each in sorted(read)]
        return found

    def room_of(self, name: str) -> str | None:
        return next((heading for heading, names in self.rooms.items() if name in names), None)

    def diagram(self, heading: str) -> str:
        lines = ["flowchart LR"]
        names = self.rooms[heading]
        edges = self.edges(heading)
        elsewhere = {
            name
            for one, _, other in edges
            for name in (one, other)
            if self.room_of(name) and name not in names
        }
        lines += [f"  {name}{SHAPES[self._kind(name)].format(name)}" for name in names]
        lines += [
            f"  {name}{SHAPES[self._kind(name)].format(name)}:::elsewhere"
            for name in sorted(elsewhere)
        ]
        lines += [f"  {one} {arrow} {other}" for one, arrow, other in edges]
        if elsewhere:
            lines.append("  classDef elsewhere stroke-dasharray: 4")
        return _mermaid(lines)

    def overview(self) -> str:
        """Which room's doings have another's functions run: by a stream, or by a queue."""
        ids = {heading: f"room{number}" for number, heading in enumerate(self.rooms)}
        edges = dict.fromkeys(
            (self.room_of(one), self.room_of(other))
            for heading in self.rooms
            for one, _, other in self.edges(heading)
            if (self._kind(one), self._kind(other)) in LEADING
        )
        lines = ["flowchart LR"]
        told = [(one, other) for one, other in edges if one and other and one != other]
        used = {heading for edge in told for heading in edge}
        lines += [f"  {ids[each]}[{_short(each)}]" for each in self.rooms if each in used]
        lines += [f"  {ids[one]} --> {ids[other]}" for one, other in told]
        return _mermaid(lines)

    def text(self) -> str:
        parts = ["## The whole", "", self.overview()]
        for heading, names in self.rooms.items():
            parts += [
                "",
                f"## {heading}",
                "",
                self.diagram(heading),
                "",
                "| function | |",
                "|---|---|",
            ]
            parts += [
                f"| `{name}` | {self.resources[name]['Properties']['Description'].strip()} |"
                for name in names
                if self._kind(name) == FUNCTION
            ]
        return "\n".join(parts)


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _named(value: Any) -> set[str]:
    """The resources to which a part of the template refers."""
    return {name for found in NAMED.findall(json.dumps(value)) for name in found if name}


def _how_often(expression: str) -> str:
    """Of "rate(1 minute)", "each minute"; cron expressions are of Mondays."""
    rate = re.fullmatch(r"rate\((?:1 )?(.+)\)", expression)
    return f"each {rate[1]}" if rate else "each Monday"


def _short(heading: str) -> str:
    return heading.partition(":")[0]


def _mermaid(lines: Iterable[str]) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def document() -> str:
    """What docs/architecture.md has to be."""
    written = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = written.partition(BEGIN)
    drawn = Architecture(TEMPLATE.read_text(encoding="utf-8")).text()
    return f"{before}{BEGIN}\n\n{drawn}\n\n{END}{rest.partition(END)[2]}"


def main() -> int:
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
