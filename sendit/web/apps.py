"""The Django app that owns users, roles and what they sign in with."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "sendit.web"
    label = "web"
