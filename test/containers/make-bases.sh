#!/usr/bin/env bash
# Makes the two images that the Dockerfile stands on where no registry of images can be reached, laid out like the public
# ones: Debian 13 with node and npm to build with, and what node needs without a shell to run on.
#
#   make-bases.sh BUILD_TAG RUNTIME_TAG     (a change here: raise the tags in image.mjs)
#
# Needs root, a Docker engine, npm and mmdebstrap. Debian's packages come from mmdebstrap's default mirror, node and npm
# from the npm registry. The build image trusts what this machine trusts, so that npm works behind a proxy that signs anew;
# the runtime image has Debian's certificates alone.
set -euo pipefail
build=$1 runtime=$2
node_version=24.21.0
npm_version=11.19.1
case $(uname -m) in
  x86_64) cpu=x64 ;;
  aarch64) cpu=arm64 ;;
  *) echo "there is no base image for $(uname -m) here" >&2; exit 1 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

unpack() { # NPM_PACKAGE FOLDER
  mkdir "$2" && npm pack --silent --pack-destination "$work" "$1" >packed && tar -xzf "$(tail -1 packed)" -C "$2" --strip-components=1
}
unpack "node-linux-$cpu@$node_version" node
unpack "npm@$npm_version" npm

mmdebstrap --quiet --variant=minbase --include=ca-certificates,libstdc++6,libssl3t64,tzdata,netbase trixie debian

# The runtime: the files of these packages, without programs and documentation.
mkdir -p run/nodejs/bin run/tmp run/home/nonroot
for package in base-files libc6 libgcc-s1 libstdc++6 libssl3t64 zlib1g libzstd1 tzdata netbase ca-certificates; do
  chroot debian dpkg-query --listfiles "$package"
done | sort -u | grep -Ev '^/(\.|(usr/)?s?bin/|usr/share/(doc|man|lintian|perl5|bug|ca-certificates|i18n)|usr/lib/[^/]*/gconv|etc/(init\.d|cron|profile))' |
  while read -r file; do
    if [ -L "debian$file" ] || [ ! -d "debian$file" ]; then echo ".$file"; fi
  done >files
tar -C debian -c -T files | tar -C run -x --keep-directory-symlink
for link in bin sbin lib lib64; do if [ -L "debian/$link" ]; then ln -sfn "usr/$link" "run/$link"; fi; done
mkdir -p run/usr/bin run/usr/sbin run/etc/ssl/certs
cp debian/etc/ssl/certs/ca-certificates.crt run/etc/ssl/certs/
cp node/bin/node run/nodejs/bin/node
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' >run/etc/passwd
printf 'root:x:0:\nnonroot:x:65532:\n' >run/etc/group
chown 65532:65532 run/home/nonroot
chmod 755 run run/nodejs run/nodejs/bin run/nodejs/bin/node
chmod 1777 run/tmp
tar -C run -c . | docker import --change 'USER 65532:65532' --change 'WORKDIR /home/nonroot' \
  --change 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/nodejs/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
  --change 'ENTRYPOINT ["/nodejs/bin/node"]' - "$runtime" >/dev/null

# The build image.
cp node/bin/node debian/usr/local/bin/node
mkdir -p debian/usr/local/lib/node_modules
cp -R npm debian/usr/local/lib/node_modules/npm
ln -s ../lib/node_modules/npm/bin/npm-cli.js debian/usr/local/bin/npm
chmod 755 debian debian/usr/local/bin/node debian/usr/local/lib/node_modules/npm/bin/npm-cli.js
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
  cp /etc/ssl/certs/ca-certificates.crt debian/etc/ssl/certs/ca-certificates.crt
fi
rm -rf debian/var/lib/apt/lists/* debian/var/cache/apt/*
tar -C debian -c . | docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' --change 'CMD ["node"]' - "$build" >/dev/null
