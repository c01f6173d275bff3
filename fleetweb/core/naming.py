"""Which model a name means: exo's id, the last part of one, an alias of the owner's, or `auto`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..errors import ConfigError, ModelUnknown, NoCandidate
from .words import listing, short_model

AUTO = "auto"
LONGEST_SHOWN = 80
SHORTEST_HINT = 3  # letters that a name must have in common to count as part of another
HINTS = 3


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of the owner's, and what it stands for at each provider that has a stand-in."""

    name: str
    at: Mapping[str, str] = field(default_factory=dict)  # provider -> its name for the model


def read_aliases(table: Mapping[str, object], providers: Collection[str]) -> tuple[Alias, ...]:
    """The aliases of a fleet file's `[models]` table. Raises ConfigError where it is malformed."""
    aliases = tuple(_read_alias(name, entry, providers) for name, entry in table.items())
    names = [_folded(alias.name) for alias in aliases]
    for alias, name in zip(aliases, names, strict=True):
        if name == AUTO:
            raise ConfigError(f"{_header(alias.name)}: `auto` means any loaded model; rename it.")
        if names.count(name) > 1:
            raise ConfigError(f"{_header(alias.name)} is there twice but for case; keep one.")
    return aliases


def _read_alias(name: str, entry: object, providers: Collection[str]) -> Alias:
    wanted = f"wants some of {listing(sorted(providers))}, each with a model's name"
    if not isinstance(entry, Mapping) or not entry:
        raise ConfigError(f"{_header(name)} {wanted}.")
    for provider, model in entry.items():
        if provider not in providers:
            raise ConfigError(f"{_header(name)} has `{provider}`; it {wanted}.")
        if not isinstance(model, str) or not model.strip():
            raise ConfigError(f"{_header(name)}: `{provider}` wants a model's name in quotes.")
    return Alias(name, {provider: model.strip() for provider, model in entry.items()})


def _header(name: str) -> str:
    return f'[models."{name}"]'


def resolve(
    name: str,
    available: Iterable[str],
    aliases: Iterable[Alias] = (),
    in_hand: Mapping[str, int] | None = None,
) -> str:
    """The id that exo knows a model by.

    A whole id wins over an alias, and an alias over the last part of an id; case never matters
    where only one is meant. Of several with the same last part the one that is loaded is meant.
    `in_hand` has each loaded model's requests in hand. Raises NoCandidate.
    """
    ids, loaded = tuple(dict.fromkeys(available)), in_hand or {}
    if _folded(name) == AUTO:
        return _freest(loaded)
    known = tuple(aliases)
    found = _whole(name, ids)
    if not found and (alias := _named(name, known)):
        return _behind(alias, ids, loaded)
    found = found or _by_last_part(name, ids)
    if not found:
        raise ModelUnknown(_unknown(name, ids, known))
    return _the_one(name, found, loaded)


def stand_in(name: str, provider: str, aliases: Iterable[Alias]) -> str | None:
    """What the owner wants `provider` to answer with in place of `name`; None if nothing special.

    `name` may be the alias or what the alias stands for anywhere.
    """
    known = tuple(aliases)
    alias = _named(name, known) or next((a for a in known if _stands_for(a, name)), None)
    return alias.at.get(provider) if alias else None


def _freest(in_hand: Mapping[str, int]) -> str:
    if not in_hand:
        raise NoCandidate(
            "`auto` means any model that is loaded, and none is. "
            "Load one in exo, or ask for one by name."
        )
    return min(in_hand, key=lambda model: (in_hand[model], model))


def _whole(name: str, ids: Sequence[str]) -> tuple[str, ...]:
    if name in ids:
        return (name,)
    return tuple(known for known in ids if _folded(known) == _folded(name))


def _by_last_part(name: str, ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(known for known in ids if _folded(_last_part(known)) == _folded(name))


def _named(name: str, aliases: Sequence[Alias]) -> Alias | None:
    return next((alias for alias in aliases if _folded(alias.name) == _folded(name)), None)


def _stands_for(alias: Alias, name: str) -> bool:
    targets = {_folded(target) for target in alias.at.values()}
    return _folded(name) in targets or _folded(_last_part(name)) in targets


def _behind(alias: Alias, ids: Sequence[str], in_hand: Mapping[str, int]) -> str:
    target = alias.at.get("exo")
    if target is None:
        raise NoCandidate(
            f"{_header(alias.name)} names nothing for exo, only for {listing(sorted(alias.at))}."
        )
    found = _whole(target, ids) or _by_last_part(target, ids)
    if not found:
        raise NoCandidate(f"{_shown(alias.name)} stands for {target}. {_unknown(target, ids, ())}")
    return _the_one(target, found, in_hand)


def _the_one(name: str, found: Sequence[str], in_hand: Mapping[str, int]) -> str:
    if len(found) == 1:
        return found[0]
    loaded = [model for model in found if model in in_hand]
    if len(loaded) == 1:
        return loaded[0]
    raise NoCandidate(
        f"{_shown(name)} could be {' or '.join(sorted(found))}. "
        "Ask for one of them by its whole id."
    )


def _unknown(name: str, ids: Sequence[str], aliases: Sequence[Alias]) -> str:
    if not ids and not aliases:
        return f"Nothing is known yet that could be {_shown(name)}: exo has listed no models."
    spellings = {_folded(short_model(known)): _last_part(known) for known in reversed(ids)}
    spellings |= {_folded(_last_part(known)): _last_part(known) for known in ids}
    spellings |= {_folded(alias.name): alias.name for alias in aliases}
    asked = _folded(name)[:LONGEST_SHOWN]
    parts = [
        spelling for spelling in spellings if len(asked) >= SHORTEST_HINT and asked in spelling
    ]
    close = parts + get_close_matches(asked, spellings, n=HINTS, cutoff=0.5)
    meant = list(dict.fromkeys(spellings[spelling] for spelling in close))[:HINTS]
    hint = (
        f"Did you mean {' or '.join(meant)}?" if meant else "GET /v1/models lists those there are."
    )
    return f"No model is called {_shown(name)} here. {hint}"


def full_id(written: str, ids: Iterable[str]) -> str | None:
    """The first of `ids` that people write so: whole or by its last part, in any case."""
    wanted = _folded(written)
    names = (known for known in ids if wanted in (_folded(known), _folded(_last_part(known))))
    return next(names, None) if wanted else None


def _last_part(model_id: str) -> str:
    return model_id.rsplit("/", 1)[-1]


def _folded(name: str) -> str:
    return name.strip().casefold()


def _shown(name: str) -> str:
    """A caller's word, short enough and harmless enough to be said back to them."""
    legible = "".join(letter if letter.isprintable() else "?" for letter in name[:LONGEST_SHOWN])
    return f'"{legible}…"' if len(name) > LONGEST_SHOWN else f'"{legible}"'
