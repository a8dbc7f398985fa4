"""The identity service that sendit serves to other gateways: DASHER's API (docs/identity.md), the local algorithm.

It runs in a process of its own. It stores clients, digests of their tokens and how much each asked for; no identifier.
"""
