"""Ray on this machine, for tests and benchmarks: on loopback, without a dashboard, and patient where the machine is busy."""

import os

PATIENCE = {
    # By default a raylet that does not answer five times within 10 seconds each is taken for dead, and ends itself.
    "RAY_health_check_timeout_ms": "120000",
    "RAY_health_check_failure_threshold": "20",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "300",
    "RAY_grpc_client_keepalive_timeout_ms": "300000",
    # Other processes of this machine may fill its memory, for which no worker of these tests is to be killed.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
"""Environment variables of Ray, which its processes inherit."""
TRIES = 4
"""Ray gives its processes 30 seconds to start, which no setting changes; on a busy machine that may be too few."""
OBJECT_STORE = 1 << 30
"""Bytes of the object store; by default, a third of the memory."""


def start_ray(n_workers, **settings):
    """Start Ray with so many processors, and return the module with its data sets."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    import ray
    import ray.data

    usual = {"include_dashboard": False, "log_to_driver": False, "object_store_memory": OBJECT_STORE}
    for last in [False] * (TRIES - 1) + [True]:
        try:
            ray.init(address="local", num_cpus=n_workers, _node_ip_address="127.0.0.1", **usual | settings)
            break
        except Exception as error:  # Ray raises no class of its own here
            ray.shutdown()
            if last or "timed out during startup" not in str(error):
                raise
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray
