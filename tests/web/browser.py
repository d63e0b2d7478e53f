"""A real Chromium, driven by selenium."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.harness import PATIENCE
from tests.web.served import Served

PROGRAMS = ("chromium", "chromedriver")
AXE = files("axe_selenium_python") / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--no-first-run",
    "--autoplay-policy=no-user-gesture-required", "--disable-extensions", "--disable-background-networking",
)  # fmt: skip


@functools.cache
def _axe() -> str:
    return AXE.read_text("utf-8")


class Browser:
    """One window, in which a person is logged in."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._folder = tempfile.mkdtemp(prefix="sttd-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which(PROGRAMS[0]) or ""
        for flag in (*_FLAGS, f"--user-data-dir={self._folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which(PROGRAMS[1])))
        self.driver.set_script_timeout(PATIENCE)
        self.driver.get(f"{served.origin}/login?token={served.token}")
        self.wait(lambda: self.js("return location.pathname === '/' && document.readyState === 'complete'"))

    def close(self) -> None:
        self.driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)

    def open(self, path: str, *, language: str = "en") -> None:
        """A page in the light scheme, on a large screen. The log begins anew."""
        self.turn(dark=False)
        self.size(1280)
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}})
        self.driver.get_log("browser")
        self.driver.get("about:blank")  # a page that differs in its #fragment alone would not be loaded again
        self.driver.get(self.served.origin + path)

    def turn(self, *, dark: bool) -> None:
        """What the system prefers from now on; no motion in any case."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, calm]})

    def size(self, width: int) -> None:
        """Of the screen from now on; below 600 it is a phone's."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def js(self, script: str, *values: Any) -> Any:
        return self.driver.execute_script(script, *values)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until it is true; elements that are drawn anew meanwhile are looked up again."""
        return WebDriverWait(self.driver, PATIENCE, 0.05, (WebDriverException,)).until(lambda _: condition())

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def press(self, keys: str) -> None:
        self.find("body").send_keys(keys)

    def log(self) -> list[str]:
        """What the browser complains of: errors of scripts, violations of the policy, what was not found."""
        return [each["message"] for each in self.driver.get_log("browser")]

    def violations(self, rules: list[str] | None = None) -> list[str]:
        """What axe-core finds wrong with the page, in words."""
        if not self.js("return 'axe' in window"):
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": _axe()})  # past the policy
        options = {"resultTypes": ["violations"], "preload": False, "iframes": False} | (
            {"runOnly": rules} if rules else {}
        )
        script = "const done = arguments[1]; axe.run(document, arguments[0]).then((found) => done(found.violations))"
        found = self.driver.execute_async_script(script, options)
        return [
            f"{each['id']}: {node['html'][:200]}: {json.dumps(node.get('any', []))[:300]}"
            for each in found
            for node in each["nodes"]
        ]
