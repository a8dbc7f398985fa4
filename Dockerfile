# One image for every process of compose.yaml; `make wheel` first (docs/operations.md).
# A tag may move: once you have pulled the base, pin it by its digest too, --build-arg PYTHON=python:…@sha256:….
ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/sendit
COPY requirements-production.lock /src/
RUN /opt/sendit/bin/pip install --require-hashes -r /src/requirements-production.lock
COPY dist/sendit-*.whl /src/
RUN /opt/sendit/bin/pip install --no-index --no-deps /src/sendit-*.whl

FROM ${PYTHON}
ENV PATH=/opt/sendit/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 SENDIT_VAR=/var/lib/sendit
# What the extra `pixels` needs of the system: its image library is linked to OpenGL; libjpeg-turbo blanks JPEG faster.
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 libturbojpeg0 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 sendit \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/sendit --shell /usr/sbin/nologin sendit \
    && install --directory --owner=sendit --group=sendit --mode=0700 /var/lib/sendit
COPY --from=build /opt/sendit /opt/sendit
WORKDIR /var/lib/sendit
USER 10001:10001
VOLUME /var/lib/sendit
STOPSIGNAL SIGTERM
# Whether a process is well depends on which one it is: compose.yaml says so for each. This holds for any.
HEALTHCHECK --interval=1m --timeout=20s CMD ["sendit", "check"]
CMD ["sendit", "status"]
