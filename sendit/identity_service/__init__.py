"""The identity service that sendit serves to other gateways: DASHER's API (docs/identity.md), the local algorithm.

A process of its own. It knows clients, their tokens and who asked how much; it keeps no identifier.
"""
