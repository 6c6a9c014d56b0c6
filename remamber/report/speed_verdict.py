"""The verdict of a speed report: who is faster and smaller, where, and how both grow."""

from remamber.report import format as fmt
from remamber.rounds import DELTA
from remamber.table.growth import Exponent
from remamber.table.speed import Group, SpeedResults
from remamber.table.speed_layout import MOST_BESIDE


def speed_verdict(results: SpeedResults) -> str:
    """What the groups say of the first model against the others, and of the paper's claim."""
    if not results.measured or results.subject is None:
        return "No group was measured, so nothing can be said."
    subject = results.subject
    if len(results.labels) > MOST_BESIDE:
        said = [_ranking(results, group) for group in results.measured]
    else:
        said = [_against(results, subject, rival) for rival in results.rivals]
    said += [_growth(results), _claim(results)]
    alone = "" if results.rivals else _alone(results, subject)
    return " ".join(part for part in (alone, *said, _lost(results)) if part)


def _alone(results: SpeedResults, subject: str) -> str:
    parts = [
        f"{fmt.seconds(seconds)} at {group.label}"
        for group in results.measured
        if (seconds := group.time(subject)) is not None
    ]
    return f"One iteration of {results.labels[subject]} takes {fmt.listed(parts)}." if parts else ""


def _against(results: SpeedResults, subject: str, rival: str) -> str:
    """``remamber takes 0.61× [0.60, 0.62] the time of lavt at 256 px (faster) and ...``."""
    parts = []
    for group in results.measured:
        ratio, verdict = group.ratio(subject, rival), group.verdict(subject, rival)
        if ratio is None:
            continue
        spread = ""
        if ratio.low is not None and ratio.high is not None:
            spread = f" {fmt.times_interval(ratio.low, ratio.high)}"
        parts.append(f"{fmt.times(ratio.value)}{spread} at {group.label} ({verdict})")
    if not parts:
        return ""
    names = results.labels
    return f"{names[subject]} takes, of the time of {names[rival]}, {fmt.listed(parts)}."


def _ranking(results: SpeedResults, group: Group) -> str:
    """Who is fastest and slowest of many, and who needs least and most."""
    times = {key: seconds for key in results.labels if (seconds := group.time(key)) is not None}
    if len(times) < 2:
        return ""
    ordered = sorted(times, key=lambda key: times[key])
    first, last = ordered[0], ordered[-1]
    ratio = group.ratio(last, first)
    by = f", {fmt.times(ratio.value)} as long" if ratio is not None else ""
    text = (
        f"At {group.label}, of {fmt.number_word(len(times))} models,"
        f" {results.labels[first]} is the fastest ({fmt.seconds(times[first])}) and"
        f" {results.labels[last]} the slowest ({fmt.seconds(times[last])}{by})"
    )
    close = [results.labels[key] for key in ordered[1:] if group.verdict(key, first) != "slower"]
    text += f"; not told apart from the fastest: {fmt.listed(close)}" if close else ""
    found = {k: b for k in results.labels if (b := group.memory(k, "needed_bytes")) is not None}
    if len(found) > 1:
        least, most = min(found, key=lambda k: found[k]), max(found, key=lambda k: found[k])
        text += (
            f"; {results.labels[least]} needs the least memory ({fmt.size(found[least])}),"
            f" {results.labels[most]} the most ({fmt.size(found[most])})"
        )
    return text + "."


def _growth(results: SpeedResults) -> str:
    """The exponents of the first condition that has several sizes."""
    for chain, groups in results.chains.items():
        if len({g.image_size for g in groups}) < 2:
            continue
        times = [
            f"{_power(found)} for {label}"
            for key, label in results.labels.items()
            if (found := results.time_exponent(key, chain)) is not None
        ]
        memory = [
            f"{_power(found)} for {label}"
            for key, label in results.labels.items()
            if (found := results.memory_exponent(key, chain)) is not None
        ]
        parts = [f"Time grows with pixels to the power of {fmt.listed(times)}" if times else ""]
        parts += [f"activations to that of {fmt.listed(memory)}" if memory else ""]
        return "; ".join(filter(None, parts)) + "." if times or memory else ""
    return ""


def _power(found: Exponent) -> str:
    spread = ""
    if found.low is not None and found.high is not None:
        spread = f" {fmt.plain_interval(found.low, found.high)}"
    return f"{fmt.ratio(found.value)}{spread}"


def _claim(results: SpeedResults) -> str:
    """Whether what the paper says of its subject and its rival holds in every group here."""
    subject, rival, claim = results.subject, results.rival, results.analysis.speed.claim
    if not claim or rival is None or subject is None or rival == subject:
        return ""
    faster = [group.verdict(subject, rival) for group in results.measured]
    smaller = [_smaller(group, subject, rival) for group in results.measured]
    known = [v for v in faster if v is not None]
    weighed = [s for s in smaller if s is not None]
    if not known and not weighed:
        return ""
    against = "slower" in known or "same" in known or False in weighed
    for_it = all(v == "faster" for v in known) and all(weighed) and known and weighed
    here = "does not hold here" if against else "holds here" if for_it else "is not decided here"
    why = []
    if known:
        count = sum(v == "faster" for v in known)
        why.append(f"faster in {count} of {len(known)} groups")
    if weighed:
        why.append(f"smaller in {sum(weighed)} of {len(weighed)}")
    return f"The claim of {results.analysis.paper}, that {claim}, {here} ({', '.join(why)})."


def _smaller(group: Group, subject: str, rival: str) -> bool | None:
    """Whether a model needs less than the other by more than what counts as a difference."""
    mine, theirs = group.memory(subject, "needed_bytes"), group.memory(rival, "needed_bytes")
    if mine is None or theirs is None:
        return True if group.status(rival) == "oom" and mine is not None else None
    return mine < theirs * (1 - DELTA)


def _lost(results: SpeedResults) -> str:
    """Who ran out of memory, and where first."""
    first: dict[str, str] = {}
    for group in results.measured:
        for key in results.labels:
            if group.said(key) == "oom":
                first.setdefault(key, group.label)
    if not first:
        return ""
    parts = [f"{results.labels[key]} at {label}" for key, label in first.items()]
    return f"Out of memory: {fmt.listed(parts)}."
