"""The Kafka mirror, against real brokers."""
