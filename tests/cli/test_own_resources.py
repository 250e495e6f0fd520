"""Resources of a user's own, in `--data DIR` as `DIR/resources/<provider>.yaml`."""

from pathlib import Path

import pytest

from .conftest import Run, Serve

RESOURCES = """\
ssh_key:
  - {id: BRK-777777K, name: mine}
instance:
  - {name: trainer, tier: advanced, region: FIN-03, gpu_model: H100-SXM5-80GB, gpu_count: 8,
     image: ubuntu-24.04-cuda-12.8, ssh_key_ids: [BRK-777777K], status: SHUTOFF}
"""


def written(folder: Path, text: str, provider: str = "barrack") -> Path:
    file = folder / "mine" / "resources" / f"{provider}.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return folder / "mine"


def test_every_account_begins_with_them(serve: Serve, tmp_path: Path) -> None:
    served = serve("barrack", "--data", written(tmp_path, RESOURCES))
    (instance,) = served.get("/barrack/api/instances/", "brk-new-1").json()["instances"]
    assert (instance["vm_name"], instance["status"]) == ("trainer", "SHUTOFF")
    names = [one["vm_name"] for one in served.get("/~blue/barrack/api/instances/", "brk-7").json()["instances"]]
    assert names == ["research-a6000", "llm-h100", "batch-a6000", "trainer"]


def test_a_stock_of_ones_own_is_drawn_from(serve: Serve, tmp_path: Path) -> None:
    """A kind whose fields are only known by those a collection begins with."""
    stock = "gpu_stock: [{id: US-1/RTX-A6000, region: US-1, tier: legacy, model: RTX-A6000, available: 9}]\n"
    instance = (
        "instance: [{name: own, tier: legacy, region: US-1, gpu_model: RTX-A6000, gpu_count: 2, status: ACTIVE,\n"
    )
    served = serve("barrack", "--data", written(tmp_path, stock + instance + "  image: ubuntu-22.04-cuda-12.2}]\n"))
    stocks = served.get("/barrack/api/gpu-stocks/?region=US-1", "brk-new-1").json()["stocks"]
    assert {one["model"]: one["available"] for one in stocks}["RTX-A6000"] == 7


BEGINNING = "an account cannot begin with these resources"
BROKEN = {
    "half a stock": (
        "gpu_stock:\n  - {id: US-1/A40, region: US-1}\n",
        "gpu_stock[0]: tier, model, available: not given",
    ),
    "no mapping": ("- 1\n", "barrack.yaml:1 is not a mapping of kinds of resources to lists"),
    "an unknown kind": ("\nserver: []\n", 'barrack.yaml:2 server: "server" does not exist; there are region, gpu,'),
    "no list": ("ssh_key: {name: a}\n", "barrack.yaml:1 ssh_key: is not a list of resources, each with its fields"),
    "no YAML": ("ssh_key: [\n", "barrack.yaml:2"),
    "a field missing": ("volume:\n  - {name: v}\n", f"barrack.yaml:2 {BEGINNING}: volume[0]: "),
    "a field that is none": (
        "ssh_key:\n  - name: mine\n    fingerprnt: x\n",
        f"barrack.yaml:3 {BEGINNING}: ssh_key[0]: fingerprnt: does not exist; there are id, created_at, name, source, ",
    ),
    "half a GPU fewer than none": (
        "gpu_stock: [{id: US-1/A40, region: US-1, tier: legacy, model: A40, available: -0.5}]\n",
        "gpu_stock[0]: available: -0.5 is no stock: a whole number, zero or more",
    ),
    "too many": (
        RESOURCES.replace("gpu_count: 8", "gpu_count: 99"),
        "out_of_stock (id FIN-03/H100-SXM5-80GB, wanted 99, available 16)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_loaded_is_told_before_serving(run: Run, tmp_path: Path, case: str) -> None:
    text, told = BROKEN[case]
    result = run("check", written(tmp_path, text))
    assert result.exit_code == 1
    assert told in result.stderr
