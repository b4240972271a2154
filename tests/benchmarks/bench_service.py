"""The scoring service under load: python -m tests.benchmarks.bench_service [--write docs/performance/service.md].

LightGBM, 200 trees of 31 leaves, 14 columns, background of 100 rows; one process of ``automl-explain serve`` on loopback, one
row a request, with explanation and reasons. Times run from the moment at which a request was due to its whole answer. The
processor time is that of the service's process. What else runs on the machine adds to times on the clock: see the load.
"""

import argparse
import http.client
import json
import os
import pickle
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import shap
from lightgbm import LGBMClassifier

from automl_explain import load, save, scoring_explainer
from tests.benchmarks.interleaved import turns
from tests.service.attack import attack
from tests.service.load import memory_of, message, processor_seconds, send_at_rate, served

ROW = {f"c{i}": round(0.1 * i, 1) for i in range(14)}
SENT = message("/score", [ROW])


def fitted():
    """Return the model and its rows."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2000, 14)), columns=list(ROW))
    model = LGBMClassifier(n_estimators=200, num_leaves=31, verbose=-1, n_jobs=1)
    return model.fit(X, X["c0"] + X["c1"] * X["c2"] > 0), X


def make_bundle(folder):
    model, X = fitted()
    return save(scoring_explainer(model, X.iloc[:100]), Path(folder) / "model")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def latency(bundle, given):
    """100 requests a second, with explanation, without, and of a route that scores nothing."""
    messages = {
        "explanation and reasons": SENT,
        "prediction only": message("/score", {"records": [ROW], "explain": False}),
        "no score (`/livez`)": b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
    }
    lines = ["| request | p50 ms | p99 ms | processor ms | errors |", "| --- | --- | --- | --- | --- |"]
    port = free_port()
    with served(bundle, port=port) as (process, _):
        send_at_rate(port, SENT, 100, 5)
        for name, sent in messages.items():
            before = processor_seconds(process)
            load_ = send_at_rate(port, sent, 100, given.seconds)
            used = (processor_seconds(process) - before) / len(load_.seconds) * 1e3
            errors = load_.broken + sum(count for status, count in load_.statuses.items() if status != 200)
            lines.append(
                f"| {name} | {load_.percentile(50):.2f} | {load_.percentile(99):.2f} | {used:.2f} | {errors} |"
            )
    return [f"{given.seconds} s each at 100 requests a second.", "", *lines]


def hundred(bundle, given):
    """Requests of 100 rows, one after the other over one connection, and what they ask for without a service."""
    fit, X = fitted()
    model = pickle.loads(pickle.dumps(fit))
    peer, scorer, matrix = shap.TreeExplainer(model), load(bundle), X.to_numpy()
    bodies = [json.dumps(X[n : n + 100].to_dict("records")) for n in range(0, 1900, 100)]
    plain = [body.replace("[{", '{"explain": false, "records": [{', 1) + "}" for body in bodies]
    port = free_port()
    with served(bundle, port=port):
        connection = http.client.HTTPConnection("127.0.0.1", port)

        def ask(bodies, n):
            if n == 0:  # a turn begins: the service has closed a connection that waited for the others' turns
                connection.close()
            body = bodies[n % len(bodies)]
            connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return len(json.loads(answer.read())["predictions"])

        assert ask(bodies, 0) == ask(plain, 0) == 100
        found = turns(
            {
                "`POST /score`": lambda n: ask(bodies, n),
                "`POST /score`, prediction only": lambda n: ask(plain, n),
                "`load(...).score`, without a service": lambda n: scorer.score(matrix[n : n + 100]),
                "`load(...).explain_local`": lambda n: scorer.explain_local(matrix[n : n + 100]),
                "shap and `predict_proba` after a pickle": lambda n: (
                    model.predict_proba(X[n : n + 100]),
                    peer.shap_values(X[n : n + 100]),
                ),
            },
            n_turns=10,
        )
        connection.close()
    lines = ["| 100 rows | median ms | best ms |", "| --- | --- | --- |"]
    return lines + [f"| {name} | {median:.2f} | {best:.2f} |" for name, (median, best, _) in found.items()]


def memory(bundle, given):
    """Resident memory of the process over many requests."""
    port, lines = free_port(), ["| requests | MB | errors |", "| --- | --- | --- |"]
    with served(bundle, port=port) as (process, _):
        send_at_rate(port, SENT, 200, 10)
        lines.append(f"| 2,000 | {memory_of(process):.1f} | |")
        step = given.requests // 4
        for part in range(1, 5):
            load_ = send_at_rate(port, SENT, given.rate, step / given.rate)
            errors = load_.broken + sum(count for status, count in load_.statuses.items() if status != 200)
            lines.append(f"| {2000 + part * step:,} | {memory_of(process):.1f} | {errors} |")
    return lines


def crash(bundle, given):
    """kill -9 under load, and a start at the same port."""
    port, loads = free_port(), []
    with served(bundle, port=port) as (process, client):
        expected = client.post("/score", [ROW]).body
        thread = threading.Thread(target=lambda: loads.append(send_at_rate(port, SENT, 50, 20, keep=True)))
        thread.start()
        time.sleep(3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with served(bundle, port=port):
            thread.join()
    wrong = {body for status, body in loads[0].bodies if status == 200} - {expected}
    return [
        f"{loads[0].statuses.get(200, 0)} requests were answered, {loads[0].broken} connections broke or were refused, "
        f"{loads[0].statuses.get(503, 0)} answers said not ready; {len(wrong)} answers were wrong."
    ]


def protocols(bundle, given):
    """The largest difference of the values of each protocol from `explain_local`."""
    exact = load(bundle).explain_local(ROW).local_importance_values
    tensors = [{"name": n, "shape": [1], "datatype": "FP64", "data": [c]} for n, c in ROW.items()]
    port = free_port()
    with served(bundle, port=port) as (_, client):
        score = client.post("/score", [ROW]).json
        kserve = client.post("/v1/models/model:explain", {"instances": [list(ROW.values())]}).json
        infer = client.post("/v2/models/model/infer", {"inputs": tensors}).json["outputs"]
        flow = client.post("/invocations", {"dataframe_records": [ROW]}).json["predictions"][0]
    found = {
        "`/score`": score["local_importance_values"],
        "KServe v1": np.transpose([one["local_importance_values"] for one in kserve["explanations"]], (1, 0, 2)),
        "Open Inference v2": next(one["data"] for one in infer if one["name"] == "local_importance"),
        "MLflow": [[[flow[f"local_importance.{label}.{n}"] for n in ROW]] for label in score["classes"]],
    }
    lines = ["| protocol | largest difference |", "| --- | --- |"]
    return lines + [f"| {n} | {np.abs(np.reshape(v, exact.shape) - exact).max():.1g} |" for n, v in found.items()]


def malformed(bundle, given):
    """Requests that schemathesis draws to be malformed, for each check of each route."""
    with served(bundle, port=free_port()) as (_, client):
        found = attack(client, given.malformed)
    return [
        "| answers | requests |",
        "| --- | --- |",
        *(f"| {status}xx | {n} |" for status, n in sorted(found.items())),
    ]


LOADS = """
import json, sys, time
from automl_explain import load
load(sys.argv[1]).warm_up()
start = time.perf_counter(), time.process_time()
load(sys.argv[1]).warm_up()
print(json.dumps([time.perf_counter() - start[0], time.process_time() - start[1]]))
"""


def loading(bundle, given):
    """`load` and `warm_up` in processes whose kernels are loaded."""
    found = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", LOADS, str(bundle)], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    (wall, cpu), (best, least) = np.median(found, axis=0), np.min(found, axis=0)
    return [
        f"`load` and `warm_up` of the bundle, in 5 processes: median {wall:.2f} s and {cpu:.2f} s of processor time, best "
        f"{best:.2f} s and {least:.2f} s."
    ]


SECTIONS = {
    "Latency": latency,
    "A hundred rows": hundred,
    "Loading": loading,
    "Memory": memory,
    "A crash under load": crash,
    "Protocols": protocols,
    "Malformed requests": malformed,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="of each load")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory")
    parser.add_argument("--rate", type=int, default=300, help="requests a second for the memory")
    parser.add_argument("--malformed", type=int, default=900, help="malformed requests for each check of each route")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="sections")
    parser.add_argument("--write", type=Path, help="file that takes the page")
    given = parser.parse_args()
    parts = [
        "# Benchmarks of the scoring service",
        f"Made by `python -m tests.benchmarks.bench_service --seconds {given.seconds} --requests {given.requests} "
        f"--rate {given.rate} --malformed {given.malformed}`: "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, Python {platform.python_version()}.",
        " ".join(__doc__.split("\n\n", 1)[1].split()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        bundle = make_bundle(folder)
        for title in given.only:
            before = os.getloadavg()[0]
            found = "\n".join(SECTIONS[title](bundle, given))
            parts += [
                f"## {title}",
                f"Load of the machine: {before:.1f} before, {os.getloadavg()[0]:.1f} after.",
                found,
            ]
            print(*parts[-3:], sep="\n", flush=True)
    if given.write:
        given.write.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
