#!/usr/bin/env bash
# FastAPI: the error model of a route that answers with a picture is documented as a picture.
#
# `responses={404: {"model": Problem}}` puts the model below the media type of the route's `response_class`. The exception
# handlers that send such a model send JSON, so a client made from the schema, or a fuzzer that checks answers against
# it, finds every error of these routes wrong. Only `content` written out for the status says otherwise.
#
# Seen with fastapi 0.115.0 and 0.165.0:
#   200 ['image/png']   404 ['image/png']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
for version in 0.115.0 0.165.0; do
    "$folder/venv/bin/pip" install --quiet "fastapi==$version"
    "$folder/venv/bin/python" - <<'EOF'
import sys

import fastapi
from pydantic import BaseModel


class Problem(BaseModel):
    message: str


class Picture(fastapi.Response):
    media_type = "image/png"


app = fastapi.FastAPI()


@app.get("/map", response_class=Picture, responses={404: {"model": Problem}})
def draw(): ...


answers = app.openapi()["paths"]["/map"]["get"]["responses"]
found = {status: list(answer["content"]) for status, answer in answers.items()}
print("fastapi", fastapi.__version__, found)
if found != {"200": ["image/png"], "404": ["image/png"]}:
    sys.exit("changed")
EOF
done
echo "as seen before"
