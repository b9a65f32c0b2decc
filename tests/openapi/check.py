"""Holds an OpenAPI document to what a server has answered.

    check.py DOCUMENT EXCHANGES PAGE

DOCUMENT has to be valid OpenAPI 3.1. Each of EXCHANGES, an array of
{"method", "path", "sent", "status", "type", "answer"}, has to be as it says, with no key that it does not know, and each
operation that answers JSON has to be among them. The codes of problems are those in the table of PAGE.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
PROBLEM = "application/problem+json"


class Document:
    def __init__(self, text):
        self.content = yaml.safe_load(text)
        OpenAPIV31SpecValidator(self.content).validate()
        # What a client may pass over, a test may not.
        close(self.content["components"], bases(self.content))
        close(self.content["paths"], set())
        resource = DRAFT202012.create_resource(self.content)
        self.registry = Registry().with_resource("urn:document", resource)
        self.templates = [(pattern(path), path) for path in self.content["paths"]]

    def at(self, *keys):
        """What lies there, and where it really lies."""
        node = self.content
        for place, key in enumerate(keys, 1):
            node = node[key]
            if isinstance(node, dict) and "$ref" in node:
                return self.at(*node["$ref"].removeprefix("#/").split("/"), *keys[place:])
        return node, keys

    def check(self, value, *keys):
        """What is wrong with a value, by the schema that lies there."""
        keys = self.at(*keys)[1]
        pointer = "".join("/" + quote(key.replace("~", "~0").replace("/", "~1")) for key in keys)
        validator = Draft202012Validator(
            {"$ref": "urn:document#" + pointer},
            registry=self.registry,
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        for error in validator.iter_errors(value):
            yield f"{error.json_path}: {error.message}"

    def path_of(self, url):
        """The template of an address: the one that takes the fewest parts as they come."""
        fitting = [path for matches, path in self.templates if matches.fullmatch(url)]
        return min(fitting, key=lambda path: path.count("{"), default=None)

    def operations_with_json(self):
        for path, item in self.content["paths"].items():
            for method in METHODS:
                for status in item.get(method, {}).get("responses", {}):
                    response = self.at("paths", path, method, "responses", status)[0]
                    if JSON in response.get("content", {}):
                        yield method, path


def pattern(path):
    parts = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(map(re.escape, parts)))


def bases(node):
    """Schemas that others extend, and so have to stay open."""
    if isinstance(node, list):
        return set().union(*map(bases, node))
    if not isinstance(node, dict):
        return set()
    own = {entry["$ref"].rsplit("/", 1)[1] for entry in node.get("allOf", []) if "$ref" in entry}
    return own.union(*map(bases, node.values()))


def close(node, open_names, name=None):
    if isinstance(node, list):
        for entry in node:
            close(entry, open_names)
    elif isinstance(node, dict):
        for key, entry in node.items():
            close(entry, open_names, key)
        is_object = "object" in node.get("type", []) or "allOf" in node
        if is_object and "properties" in node and name not in open_names:
            node.setdefault("unevaluatedProperties", False)


def complaints(document, exchange):
    url, method = urlsplit(exchange["path"]), exchange["method"].lower()
    status, answer = str(exchange["status"]), exchange["answer"]
    path = document.path_of(url.path)
    operation = document.content["paths"].get(path, {}).get(method)
    if operation is None:
        if status not in ("404", "405"):
            yield "is not in the document"
        yield from document.check(answer, "components", "schemas", "Problem")
        return
    place = ("paths", path, method)
    if exchange["status"] < 400:
        yield from complaints_of_request(document, exchange, place, url.query)
        if status not in operation["responses"]:
            yield f"the status {status} is not in the document"
            return
    told = status if status in operation["responses"] else "default"
    response, place = document.at(*place, "responses", told)
    content = response.get("content", {})
    kind = (exchange["type"] or "").split(";")[0]
    if kind in content and kind in (JSON, PROBLEM):
        yield from document.check(answer, *place, "content", kind, "schema")
    elif kind not in content and "*/*" not in content and (content or kind):
        yield f"the type {kind} is not in the document"


def complaints_of_request(document, exchange, place, query):
    if exchange["sent"] is not None:
        for error in document.check(exchange["sent"], *place, "requestBody", "content", JSON, "schema"):
            yield f"sent {error}"
    known = set()
    for keys in (place[:-1], place):
        for number, _ in enumerate(document.at(*keys)[0].get("parameters", [])):
            known.add(document.at(*keys, "parameters", number)[0]["name"])
    for name, _ in parse_qsl(query):
        if name not in known:
            yield f"the parameter {name} is not in the document"


def codes_of_document(document):
    for case in document.content["components"]["schemas"]["Problem"]["oneOf"]:
        for code in case["properties"]["code"]["enum"]:
            yield case["properties"]["status"]["const"], code


def codes_of_page(page):
    for status, codes in re.findall(r"^\| (\d{3}) \| (`[^|]*) \|", page, re.MULTILINE):
        for code in re.findall(r"`(\w+)`", codes):
            yield int(status), code


def main(document, exchanges, page):
    document = Document(Path(document).read_text())
    exchanges = json.loads(Path(exchanges).read_text())
    failures = []
    seen = set()
    for exchange in exchanges:
        name = f"{exchange['method']} {exchange['path']} {exchange['status']}"
        failures += [f"{name}: {complaint}" for complaint in complaints(document, exchange)]
        if exchange["status"] < 300:
            seen.add((exchange["method"].lower(), document.path_of(urlsplit(exchange["path"]).path)))
    unseen = set(document.operations_with_json()) - seen
    failures += [f"{method} {path} was not asked" for method, path in sorted(unseen)]
    codes = set(codes_of_document(document)) ^ set(codes_of_page(Path(page).read_text()))
    failures += [f"{code} of {status} is in one of document and page only" for status, code in sorted(codes)]
    if failures:
        sys.exit("\n".join(failures))


main(*sys.argv[1:])
