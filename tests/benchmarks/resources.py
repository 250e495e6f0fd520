"""What an account with very many instances costs, against one with few: python tests/benchmarks/resources.py.

A ratio near one says that the cost of an operation does not grow with what the account owns. The last one cannot be
near one: when a minute has passed, the next look charges every running instance for it.
"""

from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import httpx
from click import echo

from emulator import Emulation, make_runtime
from emulator.exchange import Runtime

FEW, MANY = 100, 10_000
ROUNDS, CALLS = 40, 8


class Customer:
    """A tenant that runs a number of instances, paid for or not."""

    def __init__(self, runtime: Runtime, instances: int) -> None:
        self.emulation = Emulation(runtime, f"with-{instances}", "http://emulator", {})
        base = self.emulation["barrack"].base_url
        headers = {"Authorization": f"Bearer brk-new-1~{self.emulation.tenant}"}
        self.client = httpx.Client(transport=self.emulation.transport(), base_url=base, headers=headers)
        self.emulation.clock.freeze(1_764_547_200)
        self.key = self.ask("POST", "/ssh-keys/", {"name": "benchmark"})["ssh_key"]["id"]
        self.names = 0
        self.ask("GET", "/gpu-stocks/")
        account = runtime.store.tenant(self.emulation.tenant).peek("accounts", "barrack:brk-new-1")
        account["balance"] = str(10**9)
        account["collections"]["gpu_stock"]["items"]["NORWAY-1/L40"]["available"] = 100 * MANY
        for _ in range(instances):
            self.deploy()
        self.emulation.clock.advance("2m")  # all of them run from now on
        self.instance = self.ask("GET", "/instances/?limit=1")["instances"][0]["instance_id"]
        self.last = -(-instances // 20)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.client.request(method, path, json=body)
        assert reply.is_success, reply.text
        return reply.json()

    def deploy(self) -> None:
        self.names += 1
        place = {"tier": "legacy", "region": "NORWAY-1", "gpu_model": "L40", "gpu_count": 1}
        body = {**place, "vm_name": f"vm-{self.names}", "os_image": "ubuntu-24.04", "ssh_key_ids": [self.key]}
        self.ask("POST", "/instances/", body)

    def after_a_minute(self) -> None:
        self.emulation.clock.advance("1m")
        self.ask("GET", "/balance/")


OPERATIONS: dict[str, Callable[[Customer], Any]] = {
    "get": lambda customer: customer.ask("GET", f"/instances/{customer.instance}/"),
    "balance": lambda customer: customer.ask("GET", "/balance/"),
    "list": lambda customer: customer.ask("GET", "/instances/"),
    "list, last page": lambda customer: customer.ask("GET", f"/instances/?page={customer.last}"),
    "list, filtered": lambda customer: customer.ask("GET", "/instances/?status=ACTIVE"),
    "billing": lambda customer: customer.ask("GET", "/instances/billing/"),
    "deploy": Customer.deploy,
    "balance, a minute later": Customer.after_a_minute,
}


def seconds(operation: Callable[[Customer], Any], customer: Customer, calls: int) -> float:
    began = perf_counter()
    for _ in range(calls):
        operation(customer)
    return (perf_counter() - began) / calls


def main() -> None:
    runtime = make_runtime(["barrack"], pace=0)
    few, many = Customer(runtime, FEW), Customer(runtime, MANY)
    echo(f"{'':24}{FEW:>10}{MANY:>10}   ratio (quartiles)")
    for name, operation in OPERATIONS.items():
        calls = CALLS if operation is not Customer.after_a_minute else 1
        rounds = ROUNDS if operation is not Customer.after_a_minute else 5
        pairs = [(seconds(operation, few, calls), seconds(operation, many, calls)) for _ in range(rounds)]
        ratios = [one / other for other, one in pairs]
        low, _, high = quantiles(ratios, n=4)
        small, large = (median(side) * 1000 for side in zip(*pairs, strict=True))
        echo(f"{name:24}{small:8.2f}ms{large:8.2f}ms   {median(ratios):.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
