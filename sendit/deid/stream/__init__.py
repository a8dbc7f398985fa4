"""The encoded element stream: files opened, elements and items with their bounds, values, character sets, order.

Knows bytes, PS3.5 and PS3.10; knows neither recipes nor identifiers.
"""
