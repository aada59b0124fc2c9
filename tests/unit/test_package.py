from importlib.metadata import version

import crosstie


def test_version_is_the_installed_one() -> None:
    assert version("crosstie") == crosstie.__version__
