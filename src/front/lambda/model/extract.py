#!/usr/bin/env python3
"""Writes lambda.json: what Lambda's service model says of requests, without its prose.

    pip install botocore && python3 extract.py > lambda.json

Kept: each operation's method, URI and status; of the shapes that its input reaches, the members, where they travel,
which are required, and their constraints. The model is that of botocore (Apache-2.0).
"""

import gzip
import json
import pathlib

import botocore

path = pathlib.Path(botocore.__file__).parent / "data/lambda/2015-03-31/service-2.json.gz"
model = json.loads(gzip.decompress(path.read_bytes()))
shapes = {}


def keep(name):
    if name in shapes:
        return
    shape = model["shapes"][name]
    kept = shapes[name] = {k: shape[k] for k in ("type", "required", "min", "max", "pattern", "enum") if k in shape}
    if not kept.get("required", True):
        del kept["required"]
    if "members" in shape:
        kept["members"] = {}
        for member, ref in shape["members"].items():
            one = kept["members"][member] = {"shape": ref["shape"]}
            if "location" in ref:
                one["in"], one["as"] = ref["location"], ref["locationName"]
            keep(ref["shape"])
    for part in ("member", "key", "value"):
        if part in shape:
            kept[part] = shape[part]["shape"]
            keep(kept[part])


operations = {}
for name, operation in model["operations"].items():
    http = operation["http"]
    operations[name] = {"method": http["method"], "uri": http["requestUri"], "status": http.get("responseCode", 200)}
    if "input" in operation:
        operations[name]["input"] = operation["input"]["shape"]
        payload = model["shapes"][operation["input"]["shape"]].get("payload")
        if payload:
            operations[name]["payload"] = payload
        keep(operation["input"]["shape"])

lines = []
for part, table in (("operations", operations), ("shapes", shapes)):
    rows = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in sorted(table.items()))
    lines.append(f"{json.dumps(part)}: {{\n{rows}\n}}")
print("{" + f'"botocore": {json.dumps(botocore.__version__)},\n' + ",\n".join(lines) + "}")
