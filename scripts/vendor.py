"""Check the files taken from npm against `vendor.toml`, or take them anew.

    python scripts/vendor.py check
    python scripts/vendor.py renew htmx.org-4.0.1.tgz …

To renew: raise `version`, `integrity` and `folder` in vendor.toml, fetch the tarball with
`npm pack NAME@VERSION`, and pass it. Its hashes are then written into vendor.toml.
"""

import argparse
import base64
import hashlib
import re
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "vendor.toml"

Package = dict[str, Any]


def packages() -> list[Package]:
    found: list[Package] = tomllib.loads(MANIFEST.read_text())["package"]
    return found


def expected(package: Package) -> Iterator[tuple[Path, str]]:
    """Every file of `package` and the hash it must have."""
    folder = ROOT / package["folder"]
    for member, digest in package["files"].items():
        yield folder / Path(member).name, digest
    if sprite := package.get("sprite"):
        yield folder / sprite["file"], sprite["sha512"]


def sha512(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def faults() -> Iterator[str]:
    """What is not as the list says, one sentence each."""
    for package in packages():
        listed = dict(expected(package))
        for path, digest in listed.items():
            name = path.relative_to(ROOT)
            if not path.is_file():
                yield f"{name} is missing."
            elif sha512(path.read_bytes()) != digest:
                yield f"{name} is not the file that vendor.toml lists."
        for path in (ROOT / package["folder"]).glob("*"):
            if path not in listed:
                yield f"{path.relative_to(ROOT)} is not listed in vendor.toml."


def renew(tarball: Path) -> None:
    content = tarball.read_bytes()
    package = next((p for p in packages() if p["integrity"] == sha512(content)), None)
    if package is None:
        sys.exit(f"{tarball} is none of vendor.toml's packages: its hash is {sha512(content)}.")
    with tarfile.open(tarball) as archive:
        for member in package["files"]:
            _write(package, member, Path(member).name, _read(archive, member))
        if sprite := package.get("sprite"):
            drawn = {icon: _read(archive, f"icons/{icon}.svg").decode() for icon in sprite["icons"]}
            _write(package, "sprite", sprite["file"], _sprite(package, drawn).encode())


def _read(archive: tarfile.TarFile, member: str) -> bytes:
    found = archive.extractfile(f"package/{member}")
    if found is None:
        sys.exit(f"The tarball has no {member}.")
    return found.read()


def _sprite(package: Package, drawn: dict[str, str]) -> str:
    """One SVG of symbols. Their strokes are left to the style sheet of whoever uses them."""
    symbols = (_symbol(icon, svg) for icon, svg in drawn.items())
    origin = f"{package['name']} {package['version']}"
    notice = f"<!-- {origin}, {package['license']} licence: see LICENSE -->"
    return "\n".join(['<svg xmlns="http://www.w3.org/2000/svg">', notice, *symbols, "</svg>", ""])


def _symbol(icon: str, svg: str) -> str:
    inner = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if inner is None:
        sys.exit(f"{icon}.svg is not an SVG.")
    shapes = re.sub(r"\s*\n\s*", "", inner[1]).strip()
    return f'<symbol id="{icon}" viewBox="0 0 24 24">{shapes}</symbol>'


def _write(package: Package, member: str, name: str, content: bytes) -> None:
    path = ROOT / package["folder"] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    _record(package["name"], member, sha512(content))


def _record(name: str, member: str, digest: str) -> None:
    """Put `digest` behind `member` in the manifest, and leave the rest of it as it is."""
    head, mark, tail = MANIFEST.read_text().partition(f'name = "{name}"')
    key = "sha512" if member == "sprite" else f'"{member}"'
    tail = re.sub(rf'(?m)^{re.escape(key)} = ".*"$', f'{key} = "{digest}"', tail, count=1)
    MANIFEST.write_text(head + mark + tail)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="say what is not as listed")
    renewal = commands.add_parser("renew", help="take the files anew from npm's tarballs")
    renewal.add_argument("tarballs", nargs="+", type=Path)
    options = parser.parse_args()
    for tarball in getattr(options, "tarballs", ()):
        renew(tarball)
    found = list(faults())
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
