# Aorist in one slim image: packages as pinned in the lock, no build tools, no root.
FROM python:3.13-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir uv && uv venv /venv
COPY . .
# Only what runs is installed; versions and hashes come from the lock.
RUN uv pip install --python /venv --constraint requirements.lock --no-cache .

FROM python:3.13-slim
RUN useradd --create-home aorist && mkdir /data && chown aorist /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH AORIST_HOST=0.0.0.0 AORIST_DATABASE_URL=sqlite:////data/aorist.db
USER aorist
WORKDIR /data
VOLUME /data
EXPOSE 8000
CMD ["aorist", "serve"]
