// As much of a registry (OCI distribution spec 1.1) as a signature needs, in memory and on loopback: manifests, tags, blobs and
// uploads in one request. It keeps no list of referrers, as Debian's does not, so these are found by their tag.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

export const digest = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY = Buffer.from('{}');

export class Registry {
  manifests = new Map(); // by "repository reference": { type, bytes }
  blobs = new Map(); // by digest

  async listen() {
    this.server = createServer((request, response) => {
      const parts = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => this.#answer(request, response, Buffer.concat(parts)));
    });
    await new Promise((ready) => this.server.listen(0, '127.0.0.1', ready));
    this.host = `127.0.0.1:${this.server.address().port}`;
    return this;
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }

  #answer(request, response, body) {
    const { pathname, searchParams } = new URL(request.url, 'http://registry');
    const send = (status, bytes = '', headers = {}) => {
      response.writeHead(status, { 'content-length': Buffer.byteLength(bytes), ...headers });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    };
    const read = request.method === 'GET' || request.method === 'HEAD';
    if (pathname === '/v2/') return send(200, '{}');
    let found = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(pathname);
    if (found) {
      const [, repository, reference] = found;
      if (request.method === 'PUT') {
        const name = this.manifest(repository, JSON.parse(body), reference, body, request.headers['content-type']);
        return send(201, '', { location: `/v2/${repository}/manifests/${name}`, 'docker-content-digest': name });
      }
      const manifest = this.manifests.get(`${repository} ${reference}`);
      if (!read || !manifest) return send(404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
      return send(200, manifest.bytes, { 'content-type': manifest.type, 'docker-content-digest': digest(manifest.bytes) });
    }
    found = /^\/v2\/.+\/blobs\/(sha256:[0-9a-f]{64})$/.exec(pathname);
    if (found && read) {
      const bytes = this.blobs.get(found[1]);
      return bytes ? send(200, bytes, { 'content-type': 'application/octet-stream' }) : send(404, '{"errors":[{"code":"BLOB_UNKNOWN"}]}');
    }
    if (/\/blobs\/uploads\/$/.test(pathname) && request.method === 'POST') return send(202, '', { location: `${pathname}one` });
    if (/\/blobs\/uploads\/one$/.test(pathname) && request.method === 'PUT') {
      const name = this.blob(body);
      if (name !== searchParams.get('digest')) return send(400, '{"errors":[{"code":"DIGEST_INVALID"}]}');
      return send(201, '', { location: pathname.replace(/uploads\/one$/, name), 'docker-content-digest': name });
    }
    return send(404, '{"errors":[{"code":"UNSUPPORTED"}]}');
  }

  blob(bytes) {
    const name = digest(bytes);
    this.blobs.set(name, bytes);
    return name;
  }

  manifest(repository, json, tag, bytes = Buffer.from(JSON.stringify(json)), type = json.mediaType ?? MANIFEST) {
    const name = digest(bytes);
    for (const reference of [name, tag]) if (reference) this.manifests.set(`${repository} ${reference}`, { type, bytes });
    return name;
  }

  #descriptor(mediaType, bytes, more = {}) {
    return { mediaType, digest: this.blob(bytes), size: bytes.length, ...more };
  }

  /** A component under a tag, as `wkg` writes it; its manifest's digest. */
  component(repository, tag, wasm) {
    const config = this.#descriptor('application/vnd.wasm.config.v0+json', EMPTY);
    const layers = [this.#descriptor('application/wasm', wasm)];
    return this.manifest(repository, { schemaVersion: 2, mediaType: MANIFEST, config, layers }, tag);
  }

  /** Attaches a bundle to a manifest as cosign 3 does where a registry keeps no list, in place of what was attached before. */
  refer(repository, subject, bundle) {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const { bytes } = this.manifests.get(`${repository} ${subject}`);
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: type,
      config: this.#descriptor('application/vnd.oci.empty.v1+json', EMPTY),
      layers: [this.#descriptor(type, Buffer.from(JSON.stringify(bundle)))],
      subject: { mediaType: MANIFEST, digest: subject, size: bytes.length },
      annotations: {
        'dev.sigstore.bundle.content': 'dsse-envelope',
        'dev.sigstore.bundle.predicateType': 'https://sigstore.dev/cosign/sign/v1',
      },
    };
    const name = this.manifest(repository, manifest);
    const size = this.manifests.get(`${repository} ${name}`).bytes.length;
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ mediaType: MANIFEST, artifactType: type, digest: name, size }],
    };
    this.manifest(repository, index, subject.replace(':', '-'));
  }

  /** Puts a signature under the tag `sha256-….sig`, as cosign did before its version 3. */
  simple(repository, subject, payload, signature) {
    const annotations = { 'dev.cosignproject.cosign/signature': signature };
    const layers = [this.#descriptor('application/vnd.dev.cosign.simplesigning.v1+json', payload, { annotations })];
    const config = this.#descriptor('application/vnd.oci.image.config.v1+json', EMPTY);
    this.manifest(repository, { schemaVersion: 2, mediaType: MANIFEST, config, layers }, `${subject.replace(':', '-')}.sig`);
  }

  /** The bundles that refer to a manifest. */
  bundles(repository, subject) {
    const index = this.manifests.get(`${repository} ${subject.replace(':', '-')}`);
    const referrers = index ? JSON.parse(index.bytes).manifests : [];
    return referrers.map(({ digest: name }) => {
      const manifest = JSON.parse(this.manifests.get(`${repository} ${name}`).bytes);
      return JSON.parse(this.blobs.get(manifest.layers[0].digest));
    });
  }

  /** The payload and the signature under the tag `sha256-….sig`. */
  simpleOf(repository, subject) {
    const manifest = JSON.parse(this.manifests.get(`${repository} ${subject.replace(':', '-')}.sig`).bytes);
    const [layer] = manifest.layers;
    return { payload: this.blobs.get(layer.digest), signature: layer.annotations['dev.cosignproject.cosign/signature'] };
  }
}
