"""The service's URLs, as DASHER has them."""

from __future__ import annotations

from django.urls import path

from sendit.identity_service import views

urlpatterns = [
    path("identifiers/api/v1/uid/<str:study>", views.identify),
    path("token/api/v1/refresh", views.refresh),
    path("healthz", views.health),
]
handler404 = "sendit.identity_service.views.no_such_call"
handler500 = "sendit.identity_service.views.failed"
