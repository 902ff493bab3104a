"""A headless Chromium for the tests, driven over its own protocol through two pipes: no driver has to be installed."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-dev-shm-usage", "--hide-scrollbars",
]  # fmt: skip


class Browser:
    """A headless Chromium: `ask` sends one command and collects the events that come in between."""

    def __init__(self, profile: Path) -> None:
        out_read, self.write_end = os.pipe()
        self.read_end, in_write = os.pipe()
        command = f'exec "$0" "$@" 3<&{out_read} 4>&{in_write}'
        arguments = [*QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", command, str(CHROMIUM), *arguments],
            pass_fds=(out_read, in_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(out_read)
        os.close(in_write)
        self.buffer, self.last, self.session = b"", 0, ""
        self.events: list[Json] = []

    def start(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> Json:
        self.last += 1
        message = {"id": self.last, "method": method, "params": params} | (
            {"sessionId": self.session} if self.session else {}
        )
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                result: Json = answer["result"]
                return result

    def until(self, method: str) -> None:
        while all(event["method"] != method for event in self.events):
            self._next()

    def _next(self) -> Json:
        deadline = time.monotonic() + 180
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "chromium did not answer in 180 s"
            piece = os.read(self.read_end, 1 << 16)
            assert piece, "chromium ended"
            self.buffer += piece
        raw, self.buffer = self.buffer.split(b"\0", 1)
        message: Json = json.loads(raw)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, page: Path | str, scheme: str = "light", width: int = 1400, media: str = "screen") -> None:
        self.events.clear()
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        self.ask("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)
        self.until("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        height = self.evaluate("Math.ceil(document.documentElement.scrollHeight)")
        size = {"x": 0, "y": 0, "width": self.evaluate("innerWidth"), "height": min(height, 16_000), "scale": 1}
        data = self.ask("Page.captureScreenshot", clip=size, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def requests(self) -> list[str]:
        sent = [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in sent if not url.startswith("data:")]

    def complaints(self) -> list[Json]:
        wrong = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event["method"] in wrong]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        os.close(self.write_end)
        os.close(self.read_end)
