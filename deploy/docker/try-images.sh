#!/usr/bin/env bash
# Builds the images of the API and the worker with buildah, without a daemon or a registry, starts both as their user on
# a read-only root, and runs a job through them: deploy/docker/try-images.sh. Run it as root, on Debian, in a built
# checkout; if something is missing, it says what and skips. The base image is a Debian from debootstrap with the
# checkout's Node and npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

for program in buildah debootstrap unshare redis-server; do
  command -v "$program" >/dev/null || { echo "skipped: there is no $program here"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: a Debian is made as root only"; exit 0; }

work=$(mktemp -d "${TMPDIR:-/tmp}/embedmill-images-XXXXXX")
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
containers=()
processes=()
finish() {
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${processes[@]}"; do wait "$process" 2>/dev/null || true; done
  for container in "${containers[@]}"; do buildah rm "$container" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap finish EXIT

echo "== the base"
debootstrap --variant=minbase bookworm "$work/debian" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 \
  || { tail -5 "$work/log"; exit 1; }
rm -rf "$work"/debian/var/cache/apt/* "$work"/debian/var/lib/apt/lists/*
debian=$(buildah from scratch)
containers+=("$debian")
buildah copy --quiet "$debian" "$work/debian" / >/dev/null
buildah commit --quiet "$debian" localhost/embedmill-debian >/dev/null
buildah copy --quiet "$debian" "$root/node_modules/node/bin/node" /usr/local/bin/node >/dev/null
buildah copy --quiet "$debian" "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" /usr/local/lib/node_modules/npm >/dev/null
buildah run "$debian" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
# If this machine reaches the network through its own certificate authority, the builds also trust it; the images do
# not.
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  buildah copy --quiet "$debian" "$NODE_EXTRA_CA_CERTS" /etc/ssl/build-ca.crt >/dev/null
  buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/build-ca.crt "$debian"
fi
buildah commit --quiet "$debian" localhost/embedmill-node >/dev/null

for target in api worker; do
  echo "== the image of the $target"
  # Debian's buildah does not support BuildKit's caches: without them, packages are downloaded.
  sed 's/--mount=type=cache,target=\S* //' deploy/docker/Dockerfile >"$work/Dockerfile"
  buildah build --quiet --network host --layers -f "$work/Dockerfile" --target "$target" \
    --build-arg NODE=localhost/embedmill-node --build-arg DEBIAN=localhost/embedmill-debian \
    --build-arg VERSION=0.0.0-try ${NPM_REGISTRY:+--env "NPM_CONFIG_REGISTRY=$NPM_REGISTRY"} \
    -t "localhost/embedmill-$target" "$root" >"$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
done

# Starts an image's program in its file system: as its user, on a read-only root.
start() {
  local image=$1 port=$2 container folder command
  shift 2
  container=$(buildah from "localhost/embedmill-$image")
  containers+=("$container")
  folder=$(buildah mount "$container")
  echo "$image: $(du -sm "$folder/app" | cut -f1) MB in /app, $(du -sm "$folder" | cut -f1) MB in all"
  mkdir -p "$work/data" "$work/tmp-$image"
  chown 10001:10001 "$work/data" "$work/tmp-$image"
  command=$(buildah inspect --type image "localhost/embedmill-$image" \
    | node -pe 'JSON.parse(require("fs").readFileSync(0)).OCIv1.config.Entrypoint.join(" ")')
  unshare --mount sh -c "
    mount --bind '$folder' '$folder' && mount --bind '$work/data' '$folder/data' \
      && mount --bind '$work/tmp-$image' '$folder/tmp' && mount -t proc proc '$folder/proc' \
      && mount -o remount,bind,ro '$folder' \
      && exec chroot --userspec=10001:10001 '$folder' /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/tmp NODE_ENV=production \
        EMBEDMILL_DATA_DIR=/data $* sh -c 'cd /app && exec $command'" >"$work/$image.log" 2>&1 &
  processes+=($!)
  for _ in $(seq 300); do
    curl -sf "http://127.0.0.1:$port/readyz" >/dev/null && return
    sleep 0.2
  done
  tail -20 "$work/$image.log"
  echo "the $image is not ready"
  exit 1
}

echo "== a job"
free_port() { node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })"; }
redis_port=$(free_port)
redis-server --port "$redis_port" --bind 127.0.0.1 --maxmemory-policy noeviction --dir "$work" --save '' >/dev/null &
processes+=($!)
qdrant_port=$(free_port)
node test/fake-qdrant.ts "$qdrant_port" &
processes+=($!)
common="REDIS_URL=redis://127.0.0.1:$redis_port QDRANT_URL=http://127.0.0.1:$qdrant_port"
api_port=$(free_port)
worker_port=$(free_port)
start api "$api_port" "$common" EMBEDMILL_API_HOST=127.0.0.1 "EMBEDMILL_API_PORT=$api_port"
url=http://127.0.0.1:$api_port
curl -sf -H 'content-type: application/json' -d '{"name":"greetings"}' "$url/api/v1/collections" >/dev/null
start worker "$worker_port" "$common" EMBEDMILL_WORKER_HOST=127.0.0.1 "EMBEDMILL_WORKER_PORT=$worker_port" EMBEDMILL_WORKER_CPUS=1
job=$(printf '{"id":"a","text":"good morning"}\n{"id":"b","text":"the price of copper"}\n' \
  | curl -sf -H 'content-type: application/x-ndjson' --data-binary @- "$url/api/v1/collections/greetings/jobs" \
  | node -pe 'JSON.parse(require("fs").readFileSync(0)).id')
for _ in $(seq 300); do
  state=$(curl -sf "$url/api/v1/jobs/$job" | node -pe 'JSON.parse(require("fs").readFileSync(0)).state')
  [ "$state" = completed ] && break
  sleep 0.2
done
hit=$(curl -sf -H 'content-type: application/json' -d '{"query":"hello"}' "$url/api/v1/collections/greetings/search" \
  | node -pe 'JSON.parse(require("fs").readFileSync(0)).hits[0].id')
echo "the job is $state, and the nearest to \"hello\" is $hit"
[ "$state" = completed ] && [ "$hit" = a ]
