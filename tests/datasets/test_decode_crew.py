"""Decoding in other processes: the same arrays, the same errors, and nothing left behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import numpy as np
import psutil
import pytest
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._converted import ConvertedFolder
from remamber.datasets._converted_write import write_converted
from remamber.datasets._decode_crew import DecodeCrew, DecodesElsewhere, crew_for
from remamber.datasets._sources import SourcePlace, read_source
from remamber.datasets._split_reader import SplitReader
from remamber.datasets._transforms import resize_image
from remamber.errors import ExitCode, UserError
from remamber.plan.spec import DataSpec


@pytest.fixture
def small(tmp_path):
    return write_small_refcoco(tmp_path, images=8)


@pytest.fixture
def dataset(small):
    return open_dataset(DataSpec(name="refcoco"), DataPlace(root=small.root))


@pytest.fixture
def crew():
    crew = DecodeCrew(2)
    yield crew
    crew.close()


def children():
    return psutil.Process().children()


def test_images_and_masks_are_those_of_the_runs_own_process(dataset, crew):
    refs = dataset.refs("train")
    plain = SplitReader(dataset, refs, size=32)
    ahead = SplitReader(dataset, refs, size=32, crew=crew)
    everything = range(len(refs))
    ahead.prepare(everything)
    assert np.array_equal(ahead.images(everything), plain.images(everything))
    assert np.array_equal(ahead.masks(everything), plain.masks(everything))
    assert len(children()) == 2


@pytest.mark.parametrize("converted", [False, True])
@pytest.mark.parametrize("rule", ["union", "eq1"])
def test_a_job_is_small_and_gives_the_same_without_the_data_set(small, converted, rule):
    if converted:
        source = read_source(SourcePlace(small.root / "refcoco"), shape="refer")
        write_converted(source, small.root, shape="refer")
    data = open_dataset(DataSpec(name="refcoco", mask_rule=rule), DataPlace(root=small.root))
    assert isinstance(data, ConvertedFolder) == converted
    for ref in data.refs("train"):
        image, mask = data.image_job(ref.image_id, 24), data.mask_job(ref)
        assert len(pickle.dumps(image)) + len(pickle.dumps(mask)) < 5000
        image, mask = pickle.loads(pickle.dumps((image, mask)))
        assert np.array_equal(image(), resize_image(data.image(ref.image_id), 24))
        assert np.array_equal(mask(), data.mask(ref))


def test_an_image_that_several_ask_for_is_decoded_once_without_room_to_keep_it(
    dataset, monkeypatch
):
    class Counting(DecodeCrew):
        jobs = 0

        def submit(self, job):
            self.jobs += 1
            return super().submit(job)

    crew = Counting(1)
    try:
        refs = dataset.refs("train")
        reader = SplitReader(dataset, refs, size=32, cache_bytes=0, crew=crew)
        for _ in range(3):
            reader.prepare([0], masks=False)
        monkeypatch.setattr(dataset, "image", None)
        shown = [reader.images([0]) for _ in range(3)]
        assert crew.jobs == 1
        assert all(np.array_equal(image, shown[0]) for image in shown)
    finally:
        crew.close()


def test_a_stream_gives_the_groups_in_order_and_forgets_those_not_taken(dataset, crew):
    refs = dataset.refs("train")
    plain = SplitReader(dataset, refs, size=32)
    ahead = SplitReader(dataset, refs, size=32, crew=crew)
    groups = [[i % len(refs), (3 * i) % len(refs)] for i in range(9)]
    for group, images in zip(groups, ahead.stream(groups), strict=True):
        assert np.array_equal(images, plain.images(group))
    stream = SplitReader(dataset, refs, size=32, cache_bytes=0, crew=crew).stream(groups)
    next(stream)
    stream.close()


def test_a_damaged_image_gives_the_same_error_as_in_the_runs_own_process(small, dataset, crew):
    refs = dataset.refs("train")
    path = next(small.images.glob(f"*{refs[0].image_id}.jpg"))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError) as here:
        SplitReader(dataset, refs, size=32).images([0])
    reader = SplitReader(dataset, refs, size=32, crew=crew)
    reader.prepare([0, 1])
    with pytest.raises(UserError) as there:
        reader.images([0])
    assert vars(there.value) == vars(here.value)
    assert there.value.path == str(path)
    # The process that met it goes on.
    assert reader.masks([1]).any()


def test_a_damaged_mask_gives_the_same_error_as_in_the_runs_own_process(dataset, crew):
    refs = [replace(ref) for ref in dataset.refs("train")]
    for ref in refs:
        dataset._index.segmentations[ref.ann_ids[0]] = [[1, 2, 3]]
    with pytest.raises(UserError) as here:
        SplitReader(dataset, refs, size=32).masks([0])
    reader = SplitReader(dataset, refs, size=32, crew=crew)
    reader.prepare([0])
    with pytest.raises(UserError) as there:
        reader.masks([0])
    assert vars(there.value) == vars(here.value)


class UnsendableError(Exception):
    """An error that pickle cannot build again, as many libraries have."""

    def __init__(self, what, why):
        super().__init__(f"{what} because {why}")


def fail():
    raise UnsendableError("no picture", "of the weather")


def test_an_error_that_cannot_be_sent_says_the_same_in_other_words(crew):
    with pytest.raises(RuntimeError, match="UnsendableError: no picture because of the weather"):
        crew.submit(fail).result()


def test_what_a_library_prints_is_not_taken_for_an_answer(crew, capfd):
    crew.submit(partial(os.write, 1, b"chatter\n")).result()
    assert crew.submit(partial(abs, -3)).result() == 3
    crew.close()
    assert "chatter" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, ExitCode.OUT_OF_MEMORY), (signal.SIGSEGV, ExitCode.DAMAGED)],
)
def test_a_process_that_dies_is_an_error_with_a_way_out_and_the_next_job_is_done(number, code):
    crew = DecodeCrew(1)
    try:
        pid = crew.submit(os.getpid).result()
        sleeping = crew.submit(partial(time.sleep, 60))
        os.kill(pid, number)
        with pytest.raises(UserError, match=f"was killed by {number.name}") as caught:
            sleeping.result(timeout=20)
        assert caught.value.exit_code == code
        assert "--workers 0" in caught.value.fix[-1]
        assert crew.submit(os.getpid).result() != pid
    finally:
        crew.close()


def test_closing_ends_processes_at_once_even_in_the_middle_of_a_job():
    crew = DecodeCrew(2)
    started = [crew.submit(os.getpid) for _ in range(8)]
    pids = {future.result() for future in started}
    for _ in range(4):
        crew.submit(partial(time.sleep, 60))
    begun = time.monotonic()
    crew.close()
    crew.close()
    assert time.monotonic() - begun < 10
    assert not any(psutil.pid_exists(pid) for pid in pids)


# It listens to Ctrl-C as what is started at a terminal does, wherever the tests run.
RUN = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from functools import partial
from remamber.datasets._converted import ConvertedFolder
from remamber.datasets._converted_write import write_converted
from remamber.datasets._decode_crew import DecodeCrew
crew = DecodeCrew(2)
pids = {crew.submit(os.getpid).result() for _ in range(20)}
for _ in range(6):
    crew.submit(partial(time.sleep, 3 if "sleep" in sys.argv else 0))
print(*pids, flush=True)
if "wait" in sys.argv:
    time.sleep(60)
if "raise" in sys.argv:
    raise SystemExit(3)
"""


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (["wait"], signal.SIGKILL),
        (["wait", "sleep"], signal.SIGKILL),
        (["wait"], signal.SIGTERM),
        (["wait"], signal.SIGINT),
        (["raise"], None),
    ],
)
def test_no_process_outlives_a_run_that_ends_without_closing(words, number):
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with run:
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert pids
        if number is not None:
            run.send_signal(number)
        run.wait(timeout=20)
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_small_set_is_decoded_in_the_runs_own_process(dataset):
    refs = dataset.refs("train")
    place = DataPlace(workers=8)
    assert isinstance(dataset, DecodesElsewhere)
    assert crew_for(dataset, refs, place=place).processes == 0
    assert crew_for(dataset, refs, place=replace(place, loaders=3)).processes == 3


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (4, 2), (64, 4)])
def test_a_large_set_is_decoded_by_processes_that_leave_cores_to_the_model(
    dataset, cores, processes
):
    many = [replace(ref, image_id=i) for i, ref in enumerate(dataset.refs("train") * 9000)]
    dataset.image = lambda image_id: np.zeros((480, 640, 3), np.uint8)
    assert crew_for(dataset, many, place=DataPlace(workers=cores)).processes == processes


def test_a_set_of_another_package_that_cannot_be_sent_is_decoded_here(dataset):
    class Plain:
        image, mask = dataset.image, dataset.mask

    refs = dataset.refs("train")
    crew = crew_for(Plain(), refs, place=DataPlace(loaders=3))
    assert crew.processes == 0
    reader = SplitReader(Plain(), refs, size=32, crew=crew)
    reader.prepare([0])
    assert reader.images([0]).shape == (1, 32, 32, 3)
    assert not children()
