from remamber.plan.file_digest import file_digest


def test_the_digest_is_that_of_the_content(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert file_digest(path).startswith("ba7816bf8f01cfea")
