"""Hundreds of kills, for as long as one likes; no part of the suite."""
