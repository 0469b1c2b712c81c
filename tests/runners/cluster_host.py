"""A Ray cluster for tests, in a process that has a network of its own; see conftest.py.

It takes lines: `add` starts a machine, `remove N` kills the Nth, an end of the input ends all.
"""

import json
import os
import sys
import tempfile

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

SETTINGS = {"include_dashboard": False, "object_store_memory": 100 << 20}


def main(machines: int) -> None:
    """Keep a head without cores, and some machines of one core each."""
    sys.stdout.reconfigure(line_buffering=True)
    settings = SETTINGS | {"node_ip_address": "127.0.0.1"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | settings)
    nodes = [cluster.add_node(num_cpus=1, **settings) for _ in range(machines)]
    print("READY", json.dumps(cluster.address))
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "add":
            nodes.append(cluster.add_node(num_cpus=1, **settings))
        elif word == "remove":
            cluster.remove_node(nodes[int(rest[0])], allow_graceful=False)
        print("READY", json.dumps(word))
    cluster.shutdown()


if __name__ == "__main__":
    # Short, as it holds sockets; and not where a cluster of the user's would be looked for
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        main(int(sys.argv[1]))
