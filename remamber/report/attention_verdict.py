"""What the maps of a study say in one sentence: does the target show better with depth?"""

from remamber.report import format as fmt
from remamber.table.attention import AttentionResults, Variant, rise
from remamber.table.distribution import Told
from remamber.table.maps import AMONG_AREA, AREA, Maps


def attention_verdict(results: AttentionResults) -> str:
    """The answer, each model's energy with depth, and whether words tell the target's place."""
    pairs = [(v, v.trained) for v in results.variants if v.trained is not None]
    if not pairs:
        return "No maps of trained weights have been measured, only of untrained ones."
    known = [(variant, maps, rise(maps, "energy")) for variant, maps in pairs]
    said = [
        f"{_with_depth(v.label, maps, change)} {_among(maps)}".strip()
        for v, maps, change in known
        if change is not None
    ]
    if not said:
        return "No expression has a target and a map."
    better = [v.label for v, _, change in known if change is not None and change.sign > 0]
    answer = _answer(better, [v for v, _ in pairs])
    return " ".join([answer, *said])


def _answer(better: list[str], variants: list[Variant]) -> str:
    labels = [variant.label for variant in variants]
    if not better:
        where = labels[0] if len(labels) == 1 else f"any of the {fmt.number_word(len(labels))}"
        return f"Deeper maps do not find the target better in {where}."
    if better == labels:
        return f"Deeper maps find the target better in {fmt.listed(labels)}."
    rest = fmt.listed([label for label in labels if label not in better])
    return f"Deeper maps find the target better in {fmt.listed(better)}, not in {rest}."


def _with_depth(label: str, maps: Maps, change: Told) -> str:
    """How the energy inside the target goes with depth, and where it is highest."""
    by_stage = {s: told for s in maps.stages if (told := maps.told("energy", s)) is not None}
    first, last = maps.stages[0], maps.stages[-1]
    highest = max(by_stage, key=lambda stage: by_stage[stage].value)
    area = maps.told(AREA)
    chance = f", chance is {fmt.percent(area.value)} %" if area is not None else ""
    verb = {1: "rises", -1: "falls", 0: "cannot be told to change"}[change.sign]
    return (
        f"{label}: energy inside the target {verb} from stage {first} to {last},"
        f" {fmt.percent(by_stage[first].value)} to {fmt.percent(by_stage[last].value)} %"
        f" ({fmt.points(change.value)}{_ends(change)}), and is highest at stage {highest}"
        f" ({fmt.percent(by_stage[highest].value)} %{chance})."
    )


def _ends(told: Told) -> str:
    if told.low is None or told.high is None:
        return ", one image and no interval"
    return f" {fmt.interval(told.low, told.high)}"


def _among(maps: Maps) -> str:
    """Where the target gets more of the objects' energy than its share of their area."""
    chance = maps.told(AMONG_AREA)
    beyond = {s: maps.told("among", s) for s in maps.stages}
    if chance is None or not any(beyond.values()):
        return ""
    ahead = [
        str(stage)
        for stage, told in beyond.items()
        if told is not None and told.minus(chance).sign > 0
    ]
    if not ahead:
        return "At no stage does it prefer the target to other objects."
    where = f"stage{'s' if len(ahead) > 1 else ''} {fmt.listed(ahead)}"
    return f"It prefers the target to other objects at {where}."
