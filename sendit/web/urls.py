"""The web's URLs. Each has a name, and a row of that name in the table of access."""

from __future__ import annotations

from django.urls import path

from sendit.web import dicomweb, health, metrics, static_files
from sendit.web.api import routes
from sendit.web.pages import (
    api_docs,
    audit,
    batch,
    batches,
    image,
    overview,
    pulls,
    recipes,
    review,
    settings,
    signing_in,
    studies,
    tokens,
    users,
    warehouse,
)

urlpatterns = [
    path("healthz", health.alive, name="health"),
    path("readyz", health.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("dicomweb/studies", dicomweb.studies, name="dicomweb-studies"),
    path("static/<str:digest>/<path:name>", static_files.serve, name="static"),
    path("", signing_in.home, name="home"),
    path("sign-in", signing_in.sign_in, name="sign-in"),
    path("sign-out", signing_in.sign_out, name="sign-out"),
    path("welcome/<str:token>", signing_in.welcome, name="welcome"),
    path("account", signing_in.account, name="account"),
    path("overview", overview.overview, name="overview"),
    path("queue", overview.queue, name="queue"),
    path("retry-code", overview.retry_code, name="retry-code"),
    path("delivery/pause", overview.pause, name="delivery-pause"),
    path("delivery/resume", overview.resume, name="delivery-resume"),
    path("watcher/start", overview.start_watcher, name="watcher-start"),
    path("watcher/stop", overview.stop_watcher, name="watcher-stop"),
    path("api/docs", api_docs.docs, name="api-docs"),
    path("api/openapi.json", api_docs.openapi, name="api-openapi"),
    path("api/", routes.api.urls),
    path("batches", batches.batches, name="batches"),
    path("batches.csv", batches.batches_csv, name="batches-csv"),
    path("batches/search", batches.search, name="batches-search"),
    path("batches/<int:key>", batch.batch, name="batch"),
    path("batches/<int:key>/images", image.contacts, name="images"),
    path("batches/<int:key>/images/<int:number>", image.image, name="image"),
    path("batches/<int:key>/images/<int:number>/output.png", image.output_png, name="image-output"),
    path("batches/<int:key>/images/<int:number>/original.png", image.original_png, name="image-original"),
    path("batches/<int:key>/images/<int:number>/header", image.header, name="image-header"),
    path("batches/<int:key>/retry", batch.retry, name="batch-retry"),
    path("batches/<int:key>/withdraw", studies.withdraw_batch, name="batch-withdraw"),
    path("batches/<int:key>/readmit", studies.readmit_batch, name="batch-readmit"),
    path("batches/<int:key>/redeliver", studies.redeliver_batch, name="batch-redeliver"),
    path("studies", studies.page, name="studies"),
    path("studies/withdraw", studies.withdraw, name="studies-withdraw"),
    path("studies/opt-out", studies.opt_out, name="studies-opt-out"),
    path("studies/finish", studies.finish, name="studies-finish"),
    path("studies/redeliver", studies.redeliver, name="studies-redeliver"),
    path("review", review.review, name="review"),
    path("pulls", pulls.pulls, name="pulls"),
    path("pulls/<int:key>/stop", pulls.stop, name="pull-stop"),
    path("pulls/<int:key>/go-on", pulls.go_on, name="pull-go-on"),
    path("recipes", recipes.recipes, name="recipes"),
    path("warehouse", warehouse.warehouse, name="warehouse"),
    path("warehouse/series", warehouse.series, name="warehouse-series"),
    path("warehouse/manifest.csv", warehouse.manifest, name="warehouse-manifest"),
    path("settings", settings.settings, name="settings"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/<int:key>/revoke", tokens.revoke, name="token-revoke"),
    path("audit", audit.audit, name="audit"),
    path("audit/export", audit.export_rows, name="audit-export"),
    path("users", users.users, name="users"),
    path("users/<int:key>", users.user, name="user"),
]
handler400 = "sendit.web.failures.bad_request"
handler404 = "sendit.web.failures.no_such_address"
handler500 = "sendit.web.failures.failed"
