"""Losses as pure functions of arrays: no network, no key, no configuration.

Each returns one value per example, [B], unless its docstring says otherwise.
"""
