"""JSON in, JSON out: what the API reads and how it answers."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    strict = True


class JsonOnly(DefaultContentNegotiation):
    pass
