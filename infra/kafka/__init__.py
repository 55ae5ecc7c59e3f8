"""The Kafka mirror: facts from a log to a topic, every one of them once, in order."""
