"""Many customers at once over HTTP: their file goes through the bucket, and their job through the
queue, with just the rights that the functions have."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api import Api, eventually

CAMPAIGN = "arquivos"
CUSTOMERS = 450


def done(api: Api, path: str) -> dict[str, Any]:
    """What the API says of a job that is over."""
    shown: dict[str, Any] = eventually(
        lambda: api.get(path).body, lambda body: body["state"] in ("done", "failed")
    )
    assert shown["state"] == "done", shown
    return shown


def imported(api: Api, path: str, content: str, **fields: str) -> dict[str, Any]:
    file = content.encode("cp1252")
    begun = api.post(path, {"bytes": len(file), **fields})
    assert begun.status == 201, begun.body
    assert api.put_file(begun.body["upload_url"], file) == 200
    return done(api, begun.headers["Location"])


@pytest.fixture(scope="module")
def customers(api: Api) -> int:
    """How many customers there are, in a campaign that runs today and has a team of two."""
    today = datetime.now(UTC).date()
    draft = {
        "name": "Arquivos",
        "begins_on": str(today - timedelta(days=2)),
        "ends_on": str(today + timedelta(days=2)),
        "queue": "arquivos",
    }
    assert api.put(f"/telemarketing/campaigns/{CAMPAIGN}", draft).status == 201
    for agent in ("arquivo-ana", "arquivo-bia"):
        assert api.put(f"/agents/{agent}", {"name": agent, "queues": ["arquivos"]}).status == 201
    rows = [f"TM{n};Cliente de Lista {n};219888{n:05};Arquivópolis" for n in range(CUSTOMERS)]
    content = "código;nome;celular;cidade\n" + "\n".join(rows)
    assert imported(api, "/customers/imports", content)["created"] == CUSTOMERS
    return CUSTOMERS


def test_customers_are_linked_moved_and_written(api: Api, customers: int) -> None:
    rows = [f"TM{n};;arquivo-ana;" for n in range(0, customers // 2, 2)]
    rows += [f";(21) 98880-{n:04};arquivo-bia;" for n in range(1, customers // 2, 2)]
    rows += [";21 97777-0000;;", "TM0;;ninguem;"]
    content = "código;telefone;atendente;ação\n" + "\n".join(rows)
    links = "/telemarketing/link-imports"
    for outcome in ("created", "unchanged"):
        shown = imported(api, links, content, campaign=CAMPAIGN)
        assert (shown[outcome], shown["refused"]) == (customers // 2, 2), shown
    report = api.get(f"{links}/{shown['import_id']}/report", outcome="refused").body["items"]
    assert [row["problems"][0]["field"] for row in report] == ["phone", "agent"]

    asked: dict[str, Any] = {
        "campaign": CAMPAIGN,
        "filter": {"city": "arquivopolis"},
        "agents": ["arquivo-ana", "arquivo-bia"],
    }
    begun = api.post("/telemarketing/link-jobs", asked)
    assert begun.status == 201, begun.body
    shown = done(api, begun.headers["Location"])
    assert (shown["created"], shown["unchanged"]) == (customers // 2, customers // 2)

    begun = api.post(
        "/telemarketing/portfolio-moves", {"from_agent": "arquivo-ana", "to_agent": "arquivo-bia"}
    )
    # Of each half every other one, the first of them included.
    moved = 2 * -(-customers // 4)
    assert done(api, begun.headers["Location"])["updated"] == moved
    path = f"{begun.headers['Location']}/report"
    assert len(list(api.pages(path, outcome="updated", limit="100"))) == moved

    begun = api.post("/telemarketing/exports", {"what": "history", "campaign": CAMPAIGN})
    shown = done(api, begun.headers["Location"])
    assert shown["rows"] == customers + moved
    written = api.get_file(shown["download_url"]).decode("utf-8-sig")
    assert written.count(";linked;") == customers


def test_a_history_that_goes_out_comes_back(api: Api, customers: int) -> None:
    today = datetime.now(UTC) - timedelta(days=1)
    rows = [
        f"{CAMPAIGN};TM1;velha;{today:%d/%m/%Y} 10:00;;ocupado;;",
        f"{CAMPAIGN};TM1;velha;{today:%d/%m/%Y} 11:00;venda;;R$ 1.234,50;=1+1",
    ]
    header = "campanha;código;atendente;quando;retorno;motivo;valor;conversa\n"
    history = "/telemarketing/history-imports"
    assert imported(api, history, header + "\n".join(rows))["created"] == 2
    begun = api.post("/telemarketing/exports", {"what": "operations", "campaign": CAMPAIGN})
    shown = done(api, begun.headers["Location"])
    written = api.get_file(shown["download_url"]).decode("utf-8-sig")
    assert ";'=1+1;1234,50;" in written
    assert imported(api, history, written)["unchanged"] == shown["rows"] == 2


def test_agents_begin_none_of_it(api: Api) -> None:
    for jobs in ("link-imports", "history-imports", "link-jobs", "portfolio-moves", "exports"):
        assert api.post(f"/telemarketing/{jobs}", {}, role="agent").status == 403
