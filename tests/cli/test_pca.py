"""Command ``pca``: what it refuses before anything runs, and in which words."""

import json


def test_an_unknown_tap_is_refused_with_the_nearest(bench):
    said = bench("pca", "--taps", "after chanel scan")
    assert said.status == 2
    assert "unknown tap 'after chanel scan'" in said.err
    assert "did you mean 'after channel scan'?" in said.err


def test_without_a_trained_run_the_command_that_makes_one_is_named(bench, tmp_path):
    said = bench("pca", "--json")
    error = json.loads(said.out)["error"]
    assert said.status == 3
    assert "remamber-bench ablate scans" in error["hint"]
    assert not (tmp_path / "reports").exists()


def test_no_word_names_weights_that_are_not_there(bench):
    said = bench("pca", "channel-spatial")
    assert said.status == 3 and "remamber-bench ablate scans" in said.err


def test_a_point_is_a_channel_or_a_position(bench):
    said = bench("pca", "--point", "pixel")
    assert said.status == 2 and "channel" in said.err
    assert bench("pca", "--samples", "0").status == 2
