"""Commands ``power`` and ``claims``: what they print, write and refuse."""

import json

import pytest
from simulated_study import ORDERS, simulated_study

FAR = dict(zip(ORDERS, (0.20, 0.30, 0.40, 0.40, 0.50), strict=True))


@pytest.fixture
def study(tmp_path, bench):
    return simulated_study(tmp_path / "runs")


def test_power_of_the_last_study_in_words(bench, study):
    study.store.write_study_runs(study.runs)
    said = bench("power", "--delta", "0.5")
    assert said.status == 0
    assert "what a difference of 0.50 points needs (80 % power at 5 %, two-sided)" in said.out
    assert "60 images" not in said.out.splitlines()[0]
    assert "1 seed: how much trainings vary is not known" in said.out
    assert "In a table of five rows, where Holm counts ten pairs" in said.out


def test_power_of_two_sides_as_json(bench, study):
    said = bench("power", "scan_order=spatial", "scan_order=parallel", "--json", "--split", "val")
    (group,) = json.loads(said.out)["groups"]
    assert [c["metric"] for c in group["cells"]] == ["mIoU", "oIoU"]
    for cell in group["cells"]:
        assert cell["images"] == 60
        # Less than what is asked for can be detected exactly if there are enough images.
        assert (cell["detectable"] <= 0.005) == (cell["images_needed"] <= 60)
    assert json.loads(said.out)["seeds_by_sd"]["0.005"] == 10


def test_a_larger_difference_needs_fewer_images(bench, study):
    def needed(delta):
        words = ("power", "scan_order=spatial", "scan_order=parallel", "--json", "--delta", delta)
        return json.loads(bench(*words).out)["groups"][0]["cells"][0]["images_needed"]

    assert needed("2") < needed("1") < needed("0.2")


def test_seeds_are_asked_of_the_seeds_there_are(bench, tmp_path):
    study = simulated_study(tmp_path / "runs", seeds=(0, 1, 2))
    study.store.write_study_runs(study.runs)
    said = bench("power", "scans")
    assert "over 3 seeds" in said.out
    assert "is not known" not in said.out


@pytest.mark.parametrize(
    ("words", "status", "expected"),
    [
        (("--delta", "0"), 2, "--delta 0.5"),
        (("--power", "1.5"), 2, "--power 0.8"),
        (("--metric", "mIOU"), 2, "did you mean 'mIoU'?"),
        (("a", "b", "c"), 2, "remamber-bench power scans"),
        (("scan",), 2, "did you mean 'scans'?"),
        (("scans",), 3, "remamber-bench ablate scans"),
    ],
)
def test_power_refuses_with_a_fix(bench, words, status, expected):
    said = bench("power", *words)
    assert said.status == status
    assert expected in said.err


def test_claims_are_written_with_links_to_the_reports_they_rest_on(bench, study, tmp_path):
    study.store.write_study_runs(study.runs)
    assert bench("report", "scans").status == 0
    said = bench("claims")
    assert said.status == 0
    assert "C3 on synth-refcoco" in said.out
    assert "C1, no records" in said.out
    assert "run remamber-bench ablate fusion" in " ".join(said.out.split())
    assert "run remamber-bench speed --study resolution" in " ".join(said.out.split())
    page = (tmp_path / "reports/claims.md").read_text(encoding="utf-8")
    assert "[scans](scans.md)" in page
    assert "remamber-bench ablate fusion" in page
    assert "What the paper's own tables can decide" in page
    assert '<a href="scans.html">scans</a>' in (tmp_path / "reports/claims.html").read_text(
        encoding="utf-8"
    )


def test_generated_data_never_read_as_if_they_confirmed_the_paper(bench, tmp_path):
    simulated_study(tmp_path / "runs", skill=FAR)
    said = bench("claims", "--json")
    content = json.loads(said.out)
    claims = {claim["name"]: claim for claim in content["claims"]}
    assert claims["C3"]["findings"][0]["verdict"] == "confirmed"
    assert claims["C3"]["findings"][0]["generated_data"]
    assert not claims["C3"]["confirmed"]
    assert claims["C3"]["verdict"] == ["not checked"]
    assert content["banner"].startswith("Generated data")
    assert "(generated data)" in content["verdict"]


def test_require_fails_unless_all_are_confirmed(bench, tmp_path):
    simulated_study(tmp_path / "runs", skill=FAR, data="refcoco")
    said = bench("claims", "--require")
    assert said.status == 1
    assert "not confirmed: C1, C4, C5" in said.err
    assert bench("claims").status == 0


def test_without_any_record_every_claim_names_what_makes_one(bench, tmp_path):
    said = bench("claims")
    assert said.status == 0
    for command in ("ablate fusion", "ablate scans", "ablate features", "speed --study resolution"):
        assert f"remamber-bench {command}" in " ".join(said.out.split())
    assert "Generated data" not in said.out


def test_claims_rendered_again_are_the_same(bench, study, tmp_path):
    pages = []
    for _ in range(2):
        bench("claims")
        pages.append((tmp_path / "reports/claims/results.json").read_bytes())
    assert pages[0] == pages[1]
