"""The web's URLs. None shows an identifier, and none asks for a password: keep them inside the hospital's network."""

from __future__ import annotations

from django.urls import path

from sendit.web import health, metrics

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.metrics),
]
handler404 = "sendit.web.health.no_such_address"
handler500 = "sendit.web.health.failed"
