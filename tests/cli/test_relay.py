"""`aorist relay` as far as it comes without brokers; see `tests/kafka` for the rest."""

from tests.cli.program import Program


def test_without_brokers_to_mirror_to_it_says_what_to_set(embedded: Program) -> None:
    ended = embedded("relay", code=2)
    assert "kafka_bootstrap is not set; set it to HOST:PORT of a Kafka broker" in ended.err


def test_a_prefix_that_is_no_word_is_refused(embedded: Program) -> None:
    ended = embedded("relay", code=2, env={"AORIST_KAFKA_PREFIX": "a.b"})
    assert "kafka_prefix (from environment AORIST_KAFKA_PREFIX)" in ended.err
