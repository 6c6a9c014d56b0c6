from contextlib import contextmanager

import pytest
import torch
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
from remamber.datasets._decode_crew import DecodeCrew
from remamber.errors import UserError
from remamber.models._text_word import WordTokenizer
from remamber.plan.spec import DataSpec
from remamber.tasks._batches import TrainingBatches
from remamber.tasks._optimiser import Length
from remamber.tasks._scoring import items_of, shuffled_among_images


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_small_refcoco(root, images=12)
    return open_dataset(DataSpec(name="refcoco"), DataPlace(root=root))


def batches(dataset, *, seed=0, batch=3, steps=100, crew=None):
    refs = dataset.refs("train")
    texts = [e.text for ref in refs for e in ref.expressions]
    return TrainingBatches(
        dataset,
        refs,
        size=32,
        batch=batch,
        tokenizer=WordTokenizer(texts, length=20),
        length=Length(steps, max(1, len(refs) // batch)),
        seed=seed,
        crew=crew,
    )


@contextmanager
def decoding_ahead(dataset, processes, **more):
    crew = DecodeCrew(processes)
    made = batches(dataset, crew=crew, **more)
    try:
        yield made
    finally:
        crew.close()
        made.close()


def equal(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_steps_batch_depends_on_seed_and_step_alone(dataset):
    one, two = batches(dataset), batches(dataset)
    later = [one.at(step) for step in range(12)]
    assert equal(two.at(11), later[11])
    assert equal(two.at(2), later[2])
    assert not equal(later[0], later[1])
    assert not equal(batches(dataset, seed=1).at(0), later[0])


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_a_steps_batch_does_not_depend_on_how_many_processes_decode(dataset, processes):
    plain = batches(dataset)
    with decoding_ahead(dataset, processes) as ahead:
        for step in (*range(11), 40, 41, 3, 99, 0, 0, 250):
            assert equal(ahead.at(step), plain.at(step)), step


def test_a_run_that_goes_on_where_it_was_stopped_gets_the_batches_it_would_have_got(dataset):
    with decoding_ahead(dataset, 2) as first:
        seen = [first.at(step) for step in range(14)]
    with decoding_ahead(dataset, 1) as again:
        for step in range(9, 14):
            assert equal(again.at(step), seen[step])


def test_nothing_is_decoded_beyond_the_last_step(dataset):
    class Counting(DecodeCrew):
        jobs = 0

        def submit(self, job):
            self.jobs += 1
            return super().submit(job)

    crew = Counting(1)
    made = batches(dataset, batch=1, steps=5, crew=crew)
    try:
        for step in range(5):
            made.at(step)
    finally:
        crew.close()
        made.close()
    shown = [made._refs[made._indices(step)[0]] for step in range(5)]
    assert crew.jobs == len({ref.image_id for ref in shown}) + len({ref.ref_id for ref in shown})


def test_a_damaged_image_stops_the_step_that_shows_it_and_no_other(tmp_path):
    small = write_small_refcoco(tmp_path, images=8)
    data = open_dataset(DataSpec(name="refcoco"), DataPlace(root=tmp_path))
    plain = batches(data, batch=1)
    damaged = plain._refs[plain._indices(2)[0]].image_id
    path = next(small.images.glob(f"*{damaged}.jpg"))
    shown = [plain._refs[plain._indices(step)[0]].image_id for step in range(6)]
    path.write_bytes(b"")
    with decoding_ahead(data, 2, batch=1) as ahead:
        for step, image_id in enumerate(shown):
            if image_id == damaged:
                with pytest.raises(UserError, match=f"image {damaged} cannot be read"):
                    ahead.at(step)
            else:
                assert ahead.at(step).image.shape == (1, 3, 32, 32)


def test_an_epoch_shows_every_ref_once(dataset):
    refs = dataset.refs("train")
    whole = batches(dataset, batch=1)
    seen = torch.cat([whole.at(step).target.flatten(1) for step in range(len(refs))])
    masks = whole._reader.masks(range(len(refs))).reshape(len(refs), -1)
    assert sorted(map(bytes, seen.bool().numpy())) == sorted(map(bytes, masks))


def test_shuffled_text_comes_from_another_image(dataset):
    items = items_of(dataset.refs("train"))
    owner = {}
    for item in items:
        owner.setdefault(item.text, set()).add(item.ref.image_id)
    for item, other in zip(items, shuffled_among_images(items), strict=True):
        assert other.ref == item.ref
        assert owner[other.text] - {item.ref.image_id}
