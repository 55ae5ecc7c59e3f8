"""The command line program `aorist`: one verb a file."""
