"""The pytest examples of the README, run as printed."""

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_run_as_printed(pytester: pytest.Pytester) -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 4
    pytester.makepyfile(**{f"test_example_{i}": example for i, example in enumerate(examples)})
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=4)


def test_a_mistyped_provider_is_a_complaint(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx

        def test_typo(emulator):
            address = emulator["nugen"].origin.replace("nugen", "nugget")
            assert httpx.get(address + "/inference/chat_text").status_code == 404
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no operation answers: no provider: GET /nugget/inference/chat_text -> 404*"])
