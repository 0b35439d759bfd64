"""How soon many who watch are told: `python -m tools.measure_live 1000`, on the embedded cloud."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from websockets.asyncio.client import ClientConnection, connect

from local.client import Client
from local.stack import Stack

# So many are let in at the same time.
DOORS = 20
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Measured:
    """Seconds until all were let in; and from the call until the first, half of them and the last
    of those who were told of it were.
    """

    connections: int
    let_in: float
    told: int
    first: float
    median: float
    last: float


def measure(stack: Stack, token: str, connections: int) -> Measured:
    return asyncio.run(_measure(stack, token, connections))


async def _measure(stack: Stack, token: str, connections: int) -> Measured:
    doors = asyncio.Semaphore(DOORS)
    call_id = f"measured-{time.time_ns()}"

    async def come() -> ClientConnection:
        async with doors:
            headers = {"Authorization": f"Bearer {token}"}
            connection = await connect(
                stack.live_url,
                additional_headers=headers,
                proxy=None,
                ping_interval=None,
                open_timeout=PATIENCE_SECONDS,
            )
            await connection.send(json.dumps({"action": "subscribe"}))
            while '"ready"' not in str(await connection.recv()):
                pass
            return connection

    async def hear(connection: ClientConnection) -> float | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while call_id not in str(await connection.recv()):
                    pass
        except TimeoutError:
            return None
        return time.monotonic()

    begun = time.monotonic()
    all_of_them = await asyncio.gather(*(come() for _ in range(connections)))
    let_in = time.monotonic() - begun
    hearing = [asyncio.create_task(hear(each)) for each in all_of_them]
    called = time.monotonic()
    await asyncio.to_thread(_call, stack, token, call_id)
    heard = sorted(at - called for at in await asyncio.gather(*hearing) if at is not None)
    await asyncio.gather(*(each.close() for each in all_of_them))
    return Measured(
        connections=connections,
        let_in=let_in,
        told=len(heard),
        first=heard[0],
        median=heard[len(heard) // 2],
        last=heard[-1],
    )


def _call(stack: Stack, token: str, call_id: str) -> None:
    event = {
        "event_id": call_id,
        "call_id": call_id,
        "stage": "queued",
        "occurred_at": datetime.now(UTC).isoformat(),
        "direction": "inbound",
        "queue": "medida",
    }
    with Client(stack.api_url, stack.webhook_secret, token) as client:
        client.send_calls([event])


if __name__ == "__main__":
    here = Stack.read()
    print(measure(here, here.tokens["supervisor"], int(sys.argv[1])))
