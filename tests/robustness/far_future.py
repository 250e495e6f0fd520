"""A machine that uses up its account's money, begun at the moments given: what is ten days later, a line each."""

import sys
from typing import Any

import httpx

import emulator
from emulator import Emulation

KEY = "brk-new-7"
ORDER: dict[str, Any] = {
    "tier": "legacy", "region": "CANADA-1", "gpu_model": "RTX-A6000", "gpu_count": 4, "image": "ubuntu-24.04",
    "name": "trainer", "ssh_key_ids": [], "status": "ACTIVE",
}  # fmt: skip


def life(emulation: Emulation, moment: float) -> str:
    emulation.clock.freeze(moment)
    barrack = emulation["barrack"]
    (machine,) = barrack.load({"instance": [ORDER]}, KEY)["instance"]
    emulation.clock.advance("10d")
    headers = {"X-API-Key": KEY}
    found = httpx.get(f"{barrack.base_url}/instances/{machine}/", headers=headers).json()["instance"]
    balance = httpx.get(f"{barrack.base_url}/balance/", headers=headers).json()["data"]["balance"]["amount"]
    return f"{found['status']} {balance}"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        with emulator.intercept() as emulation:
            sys.stdout.write(life(emulation, float(argument)) + "\n")
