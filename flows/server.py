"""A Prefect server on the loopback address, as a program of its own: `python -P server.py PORT KIND`.

KIND is `bare` (what one run needs) or `dashboard` (the pages and the services of a schedule as well).
It ends when its standard input does: a parent that is killed leaves no server behind.
"""

import gc
import os
import signal
import sys
import threading


def main(port: int, kind: str) -> None:
    """Serve until SIGTERM."""
    if kind == "bare":
        # As Prefect's own temporary server does, see prefect.server.api.server.SubprocessASGIServer.
        os.environ |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
    os.environ["PREFECT__SERVER_FINAL"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # a quarter of the start went into looking for garbage among the thousands of classes made
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app()
    gc.freeze()
    gc.enable()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
