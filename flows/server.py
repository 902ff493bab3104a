"""A Prefect server on the loopback address, as a program of its own: `python -P server.py PORT KIND WORKSPACE`.

KIND is `bare` (what one run needs) or `dashboard` (the pages and the services of a schedule as well, and the
workspace's reports below /keepfit). It ends when its standard input does: a parent that is killed leaves no server
behind.
"""

import gc
import os
import signal
import sys
import threading

REPORTS = ("reports", "monitoring")  # they link to each other


def main(port: int, kind: str, workspace: str) -> None:
    """Serve until SIGTERM."""
    if kind == "bare":
        # As Prefect's own temporary server does, see prefect.server.api.server.SubprocessASGIServer.
        os.environ |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
    os.environ["PREFECT__SERVER_FINAL"] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()  # a quarter of the start went into looking for garbage among the thousands of classes made
    import uvicorn
    from prefect.server.api.server import create_app
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    app = create_app()
    if kind == "dashboard":
        pages = [(name, StaticFiles(directory=f"{workspace}/{name}", check_dir=False)) for name in REPORTS]
        app.router.routes[:0] = [Mount(f"/keepfit/{name}", files) for name, files in pages]
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
    main(int(sys.argv[1]), *sys.argv[2:])
