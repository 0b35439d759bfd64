"""docs/architecture.md shows what template.yaml says."""

import re

import pytest

from tests.support.tables import TEMPLATE, template
from tools.draw_architecture import DOCUMENT, Architecture, document

SMALL = """
Resources:
  # --- Shop: what is sold -----------------------------------------------------------------------

  Orders:
    Type: AWS::DynamoDB::Table
  Sell:
    Type: AWS::Serverless::Function
    Properties:
      Policies:
        - Statement:
            - {Effect: Allow, Action: "dynamodb:PutItem", Resource: !GetAtt Orders.Arn}
            - Effect: Allow
              Action: [dynamodb:Query]
              Resource: !Sub ${Prices.Arn}/index/by_name
      Events:
        Ask: {Type: HttpApi, Properties: {Path: /sell, Method: POST}}
  Prices:
    Type: AWS::DynamoDB::Table
  Left:
    Type: AWS::SQS::Queue
  # --- Post -------------------------------------------------------------------------------------
  Send:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Orders: {Type: DynamoDB, Properties: {Stream: !GetAtt Orders.StreamArn}}
        Often: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}
        Seldom: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(15 minutes)}}
"""


@pytest.fixture
def small() -> Architecture:
    return Architecture(SMALL)


def test_it_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make architecture`"


def test_all_that_there_is_has_a_room() -> None:
    architecture = Architecture(TEMPLATE.read_text(encoding="utf-8"))
    drawn = [name for names in architecture.rooms.values() for name in names]
    assert len(drawn) == len(set(drawn))
    for name, resource in template()["Resources"].items():
        if resource["Type"] in {"AWS::Serverless::Function", "AWS::DynamoDB::Table"}:
            assert name in drawn


def test_what_leads_to_what(small: Architecture) -> None:
    assert small.edges("Shop: what is sold") == [
        ("ApiSell{{1 route}}", "-->", "Sell"),
        ("Sell", "-->", "Orders"),
        ("Prices", "-.->", "Sell"),
    ]
    assert small.edges("Post") == [
        ("Orders", "-. stream .->", "Send"),
        ("EachMinuteSend([each minute])", "-->", "Send"),
        ("Each15MinutesSend([each 15 minutes])", "-->", "Send"),
    ]


def test_a_room_shows_others_things_as_such(small: Architecture) -> None:
    assert "Orders[(Orders)]:::elsewhere" in small.diagram("Post")
    assert "elsewhere" not in small.diagram("Shop: what is sold")


def test_the_overview_shows_rooms_that_follow_each_other(small: Architecture) -> None:
    assert re.findall(r"room\d.*", small.overview()) == [
        "room0[Shop]",
        "room1[Post]",
        "room0 --> room1",
    ]


def test_dead_letters_are_left_out(small: Architecture) -> None:
    assert "Left" not in small.rooms["Shop: what is sold"]
