# One image for the whole gateway:
#   docker run -p 8080:8080 -e OPENAI_API_KEY IMAGE                          everything in one container
#   docker run IMAGE ingress | embedder | control | simulator [ARGUMENTS]    one service, as the chart runs them
#
# Both bases can be replaced, for registries of your own. They must have Node 24 and the same Debian 13 (or another system
# with glibc 2.38), npm and apt the first, /nodejs/bin/node the second. For a release pin them by digest, and build with
#   docker buildx build --sbom=true --provenance=mode=max --build-arg VERSION=... --build-arg REVISION=$(git rev-parse HEAD)
# What the image gets is given by package-lock.json, the sources and the two bases; every file's time is SOURCE_DATE_EPOCH,
# so that equal inputs give equal layers.
ARG BUILD_IMAGE=node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${RUNTIME_IMAGE} AS runtime

FROM ${BUILD_IMAGE} AS manifests
ENV TURBO_TELEMETRY_DISABLED=1 npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false
WORKDIR /app
COPY package.json package-lock.json ./
COPY proto/package.json proto/
COPY test/package.json test/
COPY services/control/package.json services/control/
COPY services/core/package.json services/core/
COPY services/embedder/package.json services/embedder/
COPY services/ingress/package.json services/ingress/
COPY services/launcher/package.json services/launcher/
COPY services/simulator/package.json services/simulator/

# The compiler, and what the sources are checked against.
FROM manifests AS build
RUN npm ci --ignore-scripts --workspace proto --workspace services/core --workspace services/control \
    --workspace services/embedder --workspace services/ingress --workspace services/simulator --include-workspace-root
COPY tsconfig.base.json ./
COPY proto proto
COPY services services
RUN for service in core control embedder ingress simulator; do npm run build --workspace services/$service || exit 1; done \
  && find services proto -type f \( -path '*/dist/*' -o -path '*/gen/*' \) \( -name '*.map' -o -name '*.d.ts' \) -delete
ARG SOURCE_DATE_EPOCH=0
COPY LICENSE ./
RUN mkdir -p /image/app/proto /state/data && cp LICENSE /image/app/ \
  && cp -R proto/package.json proto/gen /image/app/proto/ \
  && for service in core control embedder ingress simulator; do \
       mkdir -p /image/app/services/$service \
       && cp -R services/$service/package.json services/$service/dist /image/app/services/$service/ || exit 1; done \
  && cp -R services/control/bin /image/app/services/control/ \
  && mkdir -p /image/app/services/launcher /image/usr/local/bin \
  && cp services/launcher/package.json services/launcher/*.mjs /image/app/services/launcher/ \
  && ln -s /app/services/launcher/container.mjs /image/usr/local/bin/headgate \
  && chmod -R u=rwX,go=rX /image && chmod 755 /image/app/services/launcher/container.mjs \
  && find /image /state -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM manifests AS dependencies
RUN npm ci --omit=dev --omit=optional --ignore-scripts \
    --workspace services/control --workspace services/embedder --workspace services/ingress --workspace services/simulator
# Binaries of other platforms and Node versions, what compilers, browsers and people read, and encodings nobody uses.
ARG SOURCE_DATE_EPOCH=0
RUN find node_modules -name 'uws_*.node' \
      ! -name "uws_linux_$(node -p process.arch)_$(node -p process.versions.modules).node" -delete \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.flow' \
      -o -name '*.test.js' -o -iname 'readme*.md' -o -iname 'changelog*.md' \) -delete \
  && find node_modules -type d \( -path '*/dist/browser' -o -path '*/dist/react-native' -o -path '*/dist/workerd' \) \
      -prune -exec rm -rf {} + \
  && (cd node_modules && rm -rf @azure/msal-browser @pydantic/genai-prices/dist/cli.* \
      gpt-tokenizer/data gpt-tokenizer/cjs gpt-tokenizer/dist gpt-tokenizer/src \
      luxon/build/amd luxon/build/global luxon/build/cjs-browser web-streams-polyfill/dist/polyfill.*) \
  && find node_modules/gpt-tokenizer/esm/bpeRanks -type f ! -name 'o200k_base.js' -delete \
  && find node_modules -type d -empty -delete \
  && mkdir -p /image/app && mv node_modules package.json /image/app/ \
  && chmod -R u=rwX,go=rX /image && find /image -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# Debian's own Valkey, for the gateway in one container, with those of its libraries that the runtime base has not.
FROM ${BUILD_IMAGE} AS valkey
COPY --from=runtime /usr/lib /runtime/usr/lib
ARG SOURCE_DATE_EPOCH=0
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends valkey-server >/dev/null \
  && mkdir -p /image/opt/valkey/lib && cp -L /usr/bin/valkey-server /image/opt/valkey/ \
  && ldd /usr/bin/valkey-server | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p' | while read -r library; do \
       name=${library##*/} \
       && if [ -z "$(find /runtime -name "$name")" ]; then cp -L "$library" /image/opt/valkey/lib/; fi; done \
  && chmod -R u=rwX,go=rX /image && find /image -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM runtime
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Headgate" \
      org.opencontainers.image.description="A self-hosted AI gateway: one OpenAI-compatible endpoint in front of every model provider" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
COPY --from=valkey /image /
COPY --from=dependencies /image /
COPY --from=build /image /
# Has the folder /data, in which the gateway in one container keeps its key, its secret, and Valkey's data.
COPY --from=build --chown=65532:65532 /state /
WORKDIR /app
USER 65532:65532
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
ENTRYPOINT ["/nodejs/bin/node", "/app/services/launcher/container.mjs"]
CMD ["all"]
