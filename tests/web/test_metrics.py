"""The fleet for Prometheus: it parses, and what is not known is not there."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from fleetweb.core.presence import CognitiveState, FleetPresence
from fleetweb.web.metrics import exposition

from . import samples


def gauges(presence: FleetPresence | None) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    text = exposition(presence).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_before_anybody_has_looked_there_is_no_sample():
    assert gauges(None) == {}


def test_every_machine_is_up_or_not():
    seen = gauges(samples.one_dead())
    ups = {key[1]: value for key, value in seen.items() if key[0] == "fleetweb_node_up"}
    assert sorted(ups.values())[0] == 0.0
    assert ups["king"] == 1.0


def test_a_machine_is_in_one_state():
    presence = samples.busy()
    seen = gauges(presence)
    for node in presence.nodes:
        values = {s: seen["fleetweb_node_state", node.name, s.value] for s in CognitiveState}
        assert [state for state, value in values.items() if value] == [node.load.state]


def test_what_exo_does_not_say_has_no_sample():
    presence = samples.idle()
    king = presence.nodes[0]
    silent = replace(king, exo=replace(king.exo, gpu_usage=None, temperature_c=None, power_w=None))
    seen = gauges(replace(presence, nodes=(silent,)))
    names = {key[0] for key in seen}
    assert "fleetweb_node_memory_total_bytes" in names
    unknown = {"gpu_usage_ratio", "temperature_celsius", "power_watts"}
    assert not names & {f"fleetweb_node_{name}" for name in unknown}


def test_what_exo_says_is_there():
    presence = samples.idle()
    king = presence.nodes[0]
    warm = replace(king, exo=replace(king.exo, gpu_usage=0.25, temperature_c=61.0))
    seen = gauges(replace(presence, nodes=(warm,)))
    assert seen["fleetweb_node_gpu_usage_ratio", "king"] == 0.25
    assert seen["fleetweb_node_temperature_celsius", "king"] == 61.0


def test_a_cluster_that_does_not_answer_is_down():
    seen = gauges(samples.unreachable())
    assert [v for key, v in seen.items() if key[0] == "fleetweb_cluster_up"] == [0.0]


def test_no_prompt_is_among_the_metrics():
    busy = samples.busy()
    load = replace(busy.nodes[0].load, current_task="Zuleika", sentence="Processing: Zuleika")
    seen = replace(busy, nodes=(replace(busy.nodes[0], load=load),), sentence="Zuleika")
    assert b"Zuleika" not in exposition(seen)


def test_a_name_full_of_mischief_still_parses():
    odd = replace(samples.idle().nodes[0], name='a"b\\c\nd')
    assert ("fleetweb_node_up", 'a"b\\c\nd') in gauges(replace(samples.idle(), nodes=(odd,)))
