# The image runs the sources of the repository; only the web app is built. Build: docker build -t duebell .
FROM node:26-slim AS web
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts
COPY scripts/build-web.mjs ./scripts/
COPY src ./src
RUN node scripts/build-web.mjs

FROM node:26-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Runtime packages only; the image brings Node itself. None of them has an install script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY package.json LICENSE openapi.json ./
COPY src ./src
COPY --from=web /app/build ./build
# The folder of the database, which a volume keeps, and the cache of compiled sources.
RUN mkdir -p /data node_modules/.cache && chown node:node /data node_modules/.cache
USER node
VOLUME /data
# Users sign in. The log of the first start has a one-time setup link. It leads to DUEBELL_PUBLIC_URL, since a container does not know
# its published port:
#   docker run -p 127.0.0.1:8888:8888 -e DUEBELL_PUBLIC_URL=http://localhost:8888 -v duebell:/data duebell
ENV DUEBELL_HOST=0.0.0.0 \
    DUEBELL_LOGIN=true \
    DUEBELL_DATABASE_URL=sqlite:/data/duebell.db \
    DUEBELL_LOG_FORMAT=json
EXPOSE 8888
# /readyz, not /livez: whether the server can do its work.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8888/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "--import", "./src/compile-cache.js", "src/main.ts"]
CMD ["serve"]
