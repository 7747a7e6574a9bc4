# Scoring on a CPU: the command claimkind, with the extras transformer and formats.
#
#   docker build -t claimkind .
#   docker run --rm -v "$PWD/in:/in:ro" -v "$PWD/out:/out" -v "$PWD/model:/model:ro" claimkind \
#     score input=/in output=/out/scored.parquet model_uri=/model
#
# EXTRAS=train makes the image of compose.yaml, which trains and serves the MLflow UI.

FROM python:3.12-slim AS build
ARG EXTRAS=transformer,formats
# For the CPU build of torch, a third of the size: --build-arg TORCH_INDEX_URL=…
ARG TORCH_INDEX_URL=
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/claimkind
COPY constraints.txt ./
RUN /opt/claimkind/bin/pip install ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} -c constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY configs configs
COPY src src
RUN /opt/claimkind/bin/pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 claimkind
COPY --from=build /opt/claimkind /opt/claimkind
ENV PATH=/opt/claimkind/bin:$PATH PYTHONUNBUFFERED=1
USER 1000
WORKDIR /home/claimkind
ENTRYPOINT ["claimkind"]
CMD ["--help"]
