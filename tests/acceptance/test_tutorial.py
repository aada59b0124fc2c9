"""The tutorial is run as it stands: every Python snippet, in order, in one process, against a running installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.parts.page import snippets
from tests.stage import Stage, Tenant


async def test_first_webhook(stage: Stage, tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"url": stage.url, "api_key": tenant.key}))
    done = subprocess.run(  # noqa: ASYNC221  # the page's own program, which ends by itself
        [sys.executable, "-c", "\n".join(snippets("tutorials/first-webhook.md", "python"))],
        env=os.environ | {"CROSSTIE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "requested", "job.created", "True", "204"]
