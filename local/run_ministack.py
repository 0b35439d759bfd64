"""MiniStack, as it is started, made to stop while somebody watches live.

From Python 3.12 on, a server that is closed waits for its connections, and those of WebSockets end
only with their clients. MiniStack's own server gives them three seconds after that.
"""

import runpy
from asyncio.base_events import Server


async def _at_once(_: Server) -> None:
    return


Server.wait_closed = _at_once  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    runpy.run_module("ministack", run_name="__main__", alter_sys=True)
