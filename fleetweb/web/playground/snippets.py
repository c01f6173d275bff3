"""A request as the code that a program would send it with."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pprint import pformat
from typing import Any, Final

KEY: Final = "FLEETWEB_TOKEN"


@dataclass(frozen=True, slots=True)
class Snippet:
    name: str
    language: str
    source: str


def snippets(
    base_url: str, body: Mapping[str, Any], headers: Mapping[str, str]
) -> tuple[Snippet, ...]:
    """`base_url` ends with `/v1`. The key stays a variable: nobody copies a secret by accident."""
    return (
        Snippet("curl", "sh", _curl(base_url, body, headers)),
        Snippet("Python", "python", _python(base_url, body, headers)),
        Snippet("JavaScript", "javascript", _javascript(base_url, body, headers)),
    )


def _curl(base_url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    told = [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    lines = [
        f"curl -N {shlex.quote(f'{base_url}/chat/completions')}",
        f'-H "Authorization: Bearer ${KEY}"',
        "-H 'Content-Type: application/json'",
        *told,
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))}",
    ]
    return " \\\n  ".join(lines)


def _python(base_url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    given = {**body, **({"extra_headers": dict(headers)} if headers else {})}
    arguments = ",\n".join(
        f"    {name}={_indented(pformat(value, width=84, sort_dicts=False))}"
        for name, value in given.items()
    )
    return (
        "import os\n\n"
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url={base_url!r}, api_key=os.environ["{KEY}"])\n'
        f"stream = client.chat.completions.create(\n{arguments},\n)\n"
        "for chunk in stream:\n"
        "    if chunk.choices:\n"
        '        print(chunk.choices[0].delta.content or "", end="", flush=True)\n'
    )


def _javascript(base_url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    given = json.dumps(body, ensure_ascii=False, indent=2)
    options = f",\n  defaultHeaders: {json.dumps(dict(headers))}" if headers else ""
    return (
        'import OpenAI from "openai";\n\n'
        "const client = new OpenAI({\n"
        f"  baseURL: {json.dumps(base_url)},\n  apiKey: process.env.{KEY}{options}\n}});\n"
        f"const stream = await client.chat.completions.create({given});\n"
        "for await (const chunk of stream) {\n"
        '  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");\n'
        "}\n"
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
