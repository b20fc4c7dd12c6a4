"""A tracking server as MLflow's clients see it: its REST interface over a dictionary."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse


class Store:
    """What clients have sent: experiments by name, and one run."""

    def __init__(self):
        self.experiments, self.requests = {}, []
        self.run = {}
        self.params, self.tags, self.metrics = {}, {}, []

    def answer(self, verb, asked):
        self.requests.append(verb)
        return getattr(self, verb.replace("/", "_").replace("-", "_"))(asked)

    def experiments_get_by_name(self, asked):
        name = asked["experiment_name"]
        if name not in self.experiments:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": name}
        return 200, {"experiment": {"experiment_id": self.experiments[name], "name": name}}

    def experiments_create(self, asked):
        self.experiments[asked["name"]] = "7"
        return 200, {"experiment_id": "7"}

    def runs_create(self, asked):
        self.run = {
            "run_id": "abc", "run_uuid": "abc", "experiment_id": asked["experiment_id"],
            "run_name": asked["run_name"], "status": "RUNNING", "artifact_uri": "",
            "lifecycle_stage": "active", "start_time": 1,
        }  # fmt: skip
        return self.runs_get(asked)

    def runs_get(self, _asked):
        latest = {metric["key"]: metric for metric in self.metrics}
        return 200, {"run": {"info": self.run, "data": {"metrics": [*latest.values()]}}}

    def runs_update(self, asked):
        self.run |= {name: asked[name] for name in ("status", "end_time") if name in asked}
        return 200, {"run_info": self.run}

    def runs_log_batch(self, asked):
        self.params |= {one["key"]: one["value"] for one in asked.get("params", [])}
        self.tags |= {one["key"]: one["value"] for one in asked.get("tags", [])}
        self.metrics += asked.get("metrics", [])
        return 200, {}

    def metrics_get_history(self, asked):
        found = [one for one in self.metrics if one["key"] == asked["metric_key"]]
        return 200, {"metrics": found}


@contextmanager
def tracking_server():
    """A store, and the address of the server before it, which ends with the context."""
    store = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlparse(self.path).query)
            self.send({name: values[0] for name, values in query.items()})

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            self.send(json.loads(self.rfile.read(length)))

        def send(self, asked):
            verb = urlparse(self.path).path.partition("/mlflow/")[2]
            code, content = store.answer(verb, asked) if verb else (404, {})
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield store, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
