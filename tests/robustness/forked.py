"""A process that forks while it serves: prints what it is answered when the child has left the server's block."""

import os
import sys

import httpx

from emulator import EmulatorServer, make_runtime


def main(state: str) -> None:
    """Also how the child ended, and how many requests the journal has, which `state` keeps."""
    runtime = make_runtime(["generalcompute"], pace=0, state=state)
    with EmulatorServer(runtime) as server:
        handle = server["generalcompute"]

        def asked() -> int:
            return httpx.get(f"{handle.base_url}/models", headers=handle.headers).status_code

        child = os.fork()
        if child:
            ended = os.waitpid(child, 0)[1]
            sys.stdout.write(f"{asked()} {ended} {len(handle.journal)}\n")
        else:
            asked()
    if not child:
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
