import shutil
import subprocess
import sys

import pytest

APART = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "lab"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*APART, *command], check=False, capture_output=True, text=True)


@pytest.mark.proof
def test_the_inside_of_a_cloud_is_out_of_reach() -> None:
    if shutil.which("ip") is None or run("true").returncode:
        pytest.skip("this machine does not let us make a network of our own")
    done = run(sys.executable, "-m", "tests.contract.sender.lab")
    assert done.returncode == 0, done.stderr
