import pytest
import torch
from small_refcoco import write_small_refcoco

from remamber.datasets import DataPlace, open_dataset
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


def batches(dataset, *, seed=0, batch=3):
    refs = dataset.refs("train")
    texts = [e.text for ref in refs for e in ref.expressions]
    return TrainingBatches(
        dataset,
        refs,
        size=32,
        batch=batch,
        tokenizer=WordTokenizer(texts, length=20),
        length=Length(100, max(1, len(refs) // batch)),
        seed=seed,
    )


def equal(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_steps_batch_depends_on_seed_and_step_alone(dataset):
    one, two = batches(dataset), batches(dataset)
    later = [one.at(step) for step in range(12)]
    assert equal(two.at(11), later[11])
    assert equal(two.at(2), later[2])
    assert not equal(later[0], later[1])
    assert not equal(batches(dataset, seed=1).at(0), later[0])


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
