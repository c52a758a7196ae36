// Signatures between Casemate and Sigstore's own packages for JavaScript, in both directions: what `@sigstore/sign` signs with a key,
// Casemate accepts; what Casemate signs, `@sigstore/verify` accepts; and neither accepts it tampered with.
//
// The form that cosign had before its version 3 is in no package of npm's: that part speaks it with Node's own cryptography, and is
// written by this project on both sides. `legacy/` beside this has the Rust crate `sigstore` on the other side, and is no part of .ci/run.
//
// Usage: run --casemate PATH. Prints a line per check, then how many there were; exits with 1 if one failed.

import { bundleFromJSON, bundleToJSON } from '@sigstore/bundle';
import { DSSEBundleBuilder, MessageSignatureBundleBuilder } from '@sigstore/sign';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { execFile } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Checks, options } from '../node/home.mjs';
import { Registry } from './registry.mjs';

/** Milliseconds in which one command of Casemate has to end. */
const COMMAND = 120_000;
const IN_TOTO = 'application/vnd.in-toto+json';
const STATEMENT = 'https://in-toto.io/Statement/v1';
const PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
const REPOSITORY = 'example/notes';

const chosen = options();
const checks = new Checks();
const check = checks.check.bind(checks);
const scratch = mkdtempSync(join(tmpdir(), 'casemate-signatures-'));
const registry = await new Registry().listen();
const reference = `oci://${registry.host}/${REPOSITORY}:1`;

/** Runs Casemate; how it ended and what it printed. */
const casemate = (...args) =>
  new Promise((done) => {
    const env = { HOME: scratch, CASEMATE_HOME: join(scratch, 'home') };
    execFile(chosen.casemate, args, { cwd: scratch, env, timeout: COMMAND }, (error, out, err) => {
      done({ code: error ? error.code : 0, out, err });
    });
  });
const verified = (...args) => casemate('verify', reference, '--plain-http', '--json', ...args);

/** A key as `@sigstore/sign` takes it, its public half in a file. */
function signer(name) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(join(scratch, `${name}.pub`), pem);
  const hint = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  return {
    privateKey,
    sign: async (data) => ({ signature: sign('sha256', data, privateKey), key: { $case: 'publicKey', hint, publicKey: pem } }),
  };
}

const statement = (subjects, predicateType = PREDICATE) =>
  Buffer.from(JSON.stringify({ _type: STATEMENT, subject: subjects, predicateType, predicate: {} }));
const subject = (name) => ({ digest: { sha256: name.slice('sha256:'.length) }, annotations: { env: 'prod' } });

async function envelope(key, payload, type = IN_TOTO) {
  const builder = new DSSEBundleBuilder({ signer: key, witnesses: [] });
  return bundleToJSON(await builder.create({ data: payload, type }));
}

async function theirsIsAccepted(manifest, other) {
  checks.section = 'signed by @sigstore/sign';
  const [key, stranger] = [signer('theirs'), signer('stranger')];
  const good = await envelope(key, statement([subject(manifest)]));
  const put = (bundle) => registry.refer(REPOSITORY, manifest, bundle);
  put(good);
  let run = await verified('--key', 'theirs.pub');
  check('is accepted with its key', run.code === 0, run);
  const report = JSON.parse(run.out || '{}');
  check('is trusted, as a bundle', report.verdict === 'trusted' && report.verified?.[0]?.form === 'bundle', run.out);
  check('its annotations are read', report.verified?.[0]?.annotations?.env === 'prod', run.out);
  run = await verified('--key', 'stranger.pub');
  check('is refused with another key', run.code === 3 && run.out.includes('verify.signature'), run);
  run = await verified();
  check('is nobody\'s without a key', run.code === 3 && run.out.includes('a key that no rule names'), run);
  const altered = structuredClone(good);
  altered.dsseEnvelope.payload = statement([subject(manifest)], `${PREDICATE} `).toString('base64');
  const wrong = {
    'another statement under the same signature': { ...altered },
    'a signature of a stranger': await envelope(stranger, statement([subject(manifest)])),
    'a signature of another artifact': await envelope(key, statement([subject(other)])),
    'a signature of two artifacts': await envelope(key, statement([subject(manifest), subject(other)])),
    'a signature of nothing': await envelope(key, statement([])),
    'an attestation': await envelope(key, statement([subject(manifest)], 'https://slsa.dev/provenance/v1')),
    'another type of payload': await envelope(key, statement([subject(manifest)]), 'application/json'),
  };
  for (const [name, bundle] of Object.entries(wrong)) {
    put(bundle);
    run = await verified('--key', 'theirs.pub');
    check(`${name} is refused`, run.code === 3, run);
  }
  const message = new MessageSignatureBundleBuilder({ signer: key, witnesses: [] });
  const { bytes } = registry.manifests.get(`${REPOSITORY} ${manifest}`);
  put(bundleToJSON(await message.create({ data: bytes })));
  run = await verified('--key', 'theirs.pub');
  check('a signature over the manifest itself is accepted', run.code === 0, run);
  put(bundleToJSON(await message.create({ data: Buffer.from('another') })));
  run = await verified('--key', 'theirs.pub');
  check('… and one over something else is refused', run.code === 3, run);
  return key;
}

/** Whether `@sigstore/verify` accepts a bundle with the public key in this file, without a log. */
function accepts(bundle, file, artifact) {
  const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
  const publicKey = createPublicKey(readFileSync(join(scratch, file)));
  const material = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }));
  try {
    const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
    verifier.verify(toSignedEntity(bundleFromJSON(bundle), artifact));
    return true;
  } catch (error) {
    return `${error}`;
  }
}

async function oursIsAccepted(manifest) {
  checks.section = 'signed by casemate';
  for (const prefix of ['ours', 'another']) {
    const made = await casemate('sign', '--generate-key', prefix);
    check(`a key is made: ${prefix}`, made.code === 0, made);
  }
  const signed = await casemate('sign', reference, '--key', 'ours.key', '-a', 'env=prod', '--plain-http');
  check('a component is signed', signed.code === 0, signed);
  // Beside what @sigstore/sign attached before.
  const hint = createHash('sha256')
    .update(createPublicKey(readFileSync(join(scratch, 'ours.pub'))).export({ type: 'spki', format: 'der' }))
    .digest('base64');
  const ours = registry.bundles(REPOSITORY, manifest).filter((bundle) => bundle.verificationMaterial.publicKey.hint === hint);
  check('one bundle is attached', ours.length === 1, ours);
  const [bundle] = ours;
  const held = accepts(bundle, 'ours.pub');
  check('@sigstore/verify accepts it', held === true, held);
  const payload = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64'));
  const meant = payload._type === STATEMENT && payload.predicateType === PREDICATE && payload.subject.length === 1;
  check('it is a statement as cosign 3 makes it', meant && `sha256:${payload.subject[0].digest.sha256}` === manifest, payload);
  check('with its annotations', payload.subject[0].annotations.env === 'prod', payload);
  check('@sigstore/verify refuses another key', accepts(bundle, 'another.pub') !== true);
  const altered = structuredClone(bundle);
  altered.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...payload, subject: [] })).toString('base64');
  check('@sigstore/verify refuses another payload', accepts(altered, 'ours.pub') !== true);
  const broken = structuredClone(bundle);
  const bytes = Buffer.from(broken.dsseEnvelope.signatures[0].sig, 'base64');
  bytes[bytes.length - 1] ^= 1;
  broken.dsseEnvelope.signatures[0].sig = bytes.toString('base64');
  check('@sigstore/verify refuses another signature', accepts(broken, 'ours.pub') !== true);
}

async function legacy(manifest, key) {
  checks.section = 'under a .sig tag, by Node\'s cryptography';
  const ours = registry.simpleOf(REPOSITORY, manifest);
  const publicKey = readFileSync(join(scratch, 'ours.pub'));
  const holds = (payload) => verify('sha256', payload, publicKey, Buffer.from(ours.signature, 'base64'));
  check('the signature of casemate holds', holds(ours.payload));
  check('… and not over another payload', !holds(Buffer.concat([ours.payload, Buffer.from(' ')])));
  const { critical } = JSON.parse(ours.payload);
  const meant = critical.type === 'cosign container image signature' && critical.image['docker-manifest-digest'] === manifest;
  check('its payload is as cosign writes it', meant && critical.identity['docker-reference'] === `${registry.host}/${REPOSITORY}`, critical);
  registry.manifests.delete(`${REPOSITORY} ${manifest.replace(':', '-')}`);
  const payload = (reference_, image = manifest) =>
    Buffer.from(
      JSON.stringify({
        critical: {
          identity: { 'docker-reference': reference_ },
          image: { 'docker-manifest-digest': image },
          type: 'cosign container image signature',
        },
        optional: null,
      }),
    );
  const put = (bytes, signedBytes = bytes) =>
    registry.simple(REPOSITORY, manifest, bytes, sign('sha256', signedBytes, key.privateKey).toString('base64'));
  const own = payload(`${registry.host}/${REPOSITORY}`);
  put(own);
  let run = await verified('--key', 'theirs.pub');
  check('one of another program is accepted', run.code === 0 && run.out.includes('"legacy"'), run);
  run = await verified('--key', 'ours.pub');
  check('… and refused with another key', run.code === 3, run);
  put(payload(`${registry.host}/example/other`));
  run = await verified('--key', 'theirs.pub');
  check('one for another repository is refused', run.code === 3 && run.out.includes('another repository'), run);
  put(payload(`${registry.host}/${REPOSITORY}`, `sha256:${'0'.repeat(64)}`));
  run = await verified('--key', 'theirs.pub');
  check('one of another artifact is refused', run.code === 3 && run.out.includes('another artifact'), run);
  put(own, Buffer.from('something else'));
  run = await verified('--key', 'theirs.pub');
  check('one over other bytes is refused', run.code === 3, run);
}

try {
  await checks.attempt('everything', 900, async () => {
    const root = chosen.root;
    const manifest = registry.component(REPOSITORY, '1', readFileSync(join(root, 'examples/rust/notes.wasm')));
    const other = registry.component(REPOSITORY, '2', readFileSync(join(root, 'examples/c/checksums.wasm')));
    const key = await theirsIsAccepted(manifest, other);
    registry.manifests.delete(`${REPOSITORY} ${manifest.replace(':', '-')}`);
    await oursIsAccepted(manifest);
    await legacy(manifest, key);
  });
} finally {
  registry.close();
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${checks.passed + checks.failed} checks, ${checks.failed} failed`);
process.exit(checks.failed === 0 ? 0 : 1);
