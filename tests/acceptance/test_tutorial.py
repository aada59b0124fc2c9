"""The tutorial is run as it stands: every Python snippet, in order, in one process, against a running installation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.stage import Stage, Tenant

PAGE = Path(__file__).parents[2] / "docs/tutorials/first-webhook.md"


def snippets() -> str:
    """The page's Python, in order."""
    return "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL))


async def test_first_webhook(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"url": stage.url, "api_key": tenant.key}))
    done = subprocess.run(  # noqa: ASYNC221  # the page's own program, which ends by itself
        [sys.executable, "-c", snippets()],
        env=os.environ | {"CROSSTIE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "requested", "job.created", "True", "204"]
