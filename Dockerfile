# A static binary and the public CA certificates, nothing else. For several platforms at once:
#   docker buildx build --platform linux/amd64,linux/arm64 --tag registry.company.io/regcred:v1 --push .
# The digest is that of the image for all platforms; the go command of the image fetches the release of Go that go.mod names, and checks it.
FROM --platform=$BUILDPLATFORM golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
ENV GOTOOLCHAIN=auto
WORKDIR /src
# The dependencies are a layer of their own: a change of the code does not fetch them again.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api/ api/
COPY cmd/ cmd/
COPY controllers/ controllers/
COPY internal/ internal/
# The compiler runs on the machine that builds and writes for the platform that is asked for: no emulation.
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} \
    go build -trimpath -ldflags="-s -w" -o /out/regcred ./cmd/regcred

FROM scratch
LABEL org.opencontainers.image.title="regcred" \
      org.opencontainers.image.description="Delivers registry credentials from Vault to Kubernetes namespaces" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/regcred /regcred
USER 65532:65532
ENTRYPOINT ["/regcred"]
