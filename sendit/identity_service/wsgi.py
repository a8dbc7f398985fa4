"""The WSGI application: `gunicorn sendit.identity_service.wsgi`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "sendit.identity_service.settings"
application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from sendit.ground import core_dumps, database, logs  # noqa: E402
from sendit.identity_service import urls  # noqa: E402, F401 - after Django is set up, and before the first request
from sendit.identity_service.apps import KEY_FILES  # noqa: E402
from sendit.projects.composition import local_identity_service, pseudonym_key  # noqa: E402

core_dumps.forbid()
logs.speak(settings.SITE.log_format)
database.ready_or_exit("identity.blind", "identity.sees", KEY_FILES)
# Wrong settings are reported now, not by the first request.
local_identity_service(pseudonym_key(settings.SITE), settings.SITE.max_date_shift_days)
database.disconnect()  # a server that forks from here shares no connection
