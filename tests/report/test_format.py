import pytest

from remamber.report import format as fmt


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (fmt.percent, 0.431, "43.1"),
        (fmt.percent, 0.0, "0.0"),
        (fmt.percent, -0.0001, "0.0"),
        (fmt.percent, -0.098, "−9.8"),
        (fmt.percent, 1.0, "100.0"),
        (fmt.points, 0.003, "+0.3"),
        (fmt.points, -0.098, "−9.8"),
        (fmt.points, -0.0004, "0.0"),
        (fmt.points, 0.0004, "0.0"),
        (fmt.share, 0.183, "18 %"),
        (fmt.share, 0.004, "0.4 %"),
        (fmt.share, 0.0, "0 %"),
        (fmt.ratio, -0.001, "0.00"),
        (fmt.count, 10834, "10,834"),
        (fmt.parameters, 1_912_345, "1.9 M"),
        (fmt.parameters, 118_000_000, "118 M"),
        (fmt.parameters, 999_990, "1.0 M"),
        (fmt.parameters, 512, "512"),
        (fmt.seconds, 0.0042, "4.2 ms"),
        (fmt.seconds, 0.1234, "123 ms"),
        (fmt.seconds, 0.9999, "1.0 s"),
        (fmt.seconds, 12.34, "12.3 s"),
        (fmt.seconds, 200, "3 min 20 s"),
        (fmt.seconds, 7260, "2 h 1 min"),
        (fmt.size, 1_610_612_736, "1.5 GiB"),
        (fmt.size, 700 * 2**20, "700 MiB"),
        (fmt.size, 12, "12 B"),
    ],
)
def test_numbers_for_people(function, value, text):
    assert function(value) == text


def test_intervals():
    assert fmt.interval(0.41, 0.452) == "[41.0, 45.2]"
    assert fmt.half_interval(0.41, 0.452) == "±2.1"


def test_lists_read_as_prose():
    assert [fmt.listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
