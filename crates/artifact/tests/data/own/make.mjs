// Makes vectors.json: a trust root of our own (certificate authority, certificate log, transparency log, timestamp authority, all by
// @sigstore/mock) and signatures under it, right ones and ones that are each wrong in one way. Keys are new each time and are not kept.
//
// Usage, with the packages of package.json installed: node make.mjs > vectors.json

import { createHash, generateKeyPairSync, sign } from 'node:crypto';

/** The moment at which everything is signed, unless a case says otherwise. */
const NOW = Date.parse('2025-06-01T12:00:00Z');
const HOUR = 3_600_000;
const YEARS = 30 * 365 * 24 * HOUR;

// The package takes the time from the clock: its root certificates are valid from now, and for 365 days from `Date.now()`. Here they
// are older than everything, and last for as long as the tests.
const EARLY = Date.parse('2025-01-02T00:00:00Z');
const Clock = Date;
globalThis.Date = class extends Clock {
  constructor(...given) {
    super(...(given.length === 0 ? [EARLY] : given));
  }
  static now() {
    return NOW + YEARS;
  }
};
const { initializeCA, initializeCTLog, initializeTLog, initializeTSA } = await import('@sigstore/mock');

const pair = (namedCurve = 'P-256') => generateKeyPairSync('ec', { namedCurve });
const at = (offset) => new Date(NOW + offset);
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const pem = (der) => `-----BEGIN CERTIFICATE-----\n${base64(der).replace(/(.{64})/g, '$1\n').trim()}\n-----END CERTIFICATE-----\n`;

const IDENTITY = 'https://github.com/example/tools/.github/workflows/release.yml@refs/tags/v1';
const ISSUER = 'https://token.actions.githubusercontent.com';
const MANIFEST = Buffer.from('{"schemaVersion":2,"an":"example"}');
const REPOSITORY = 'ghcr.io/example/search';
const IN_TOTO = 'application/vnd.in-toto+json';

const caKeys = pair('P-384');
const [ctKeys, otherCtKeys, logKeys, otherLogKeys, tsaKeys] = [pair(), pair(), pair(), pair(), pair()];
const ctLog = await initializeCTLog(ctKeys);
const ca = await initializeCA(caKeys, ctLog);
const tlog = await initializeTLog('https://rekor.example', logKeys, at(0));
const otherLog = await initializeTLog('https://rekor.example', otherLogKeys, at(0));
const tsa = await initializeTSA(tsaKeys);

const since = { start: '2025-01-01T00:00:00Z' };
const spki = (keys) => keys.publicKey.export({ type: 'spki', format: 'der' });
const log = (keys, baseUrl) => ({
  baseUrl,
  hashAlgorithm: 'SHA2_256',
  publicKey: { rawBytes: base64(spki(keys)), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: since },
  logId: { keyId: base64(sha256(spki(keys))) },
});
const authority = (name, certificates) => ({
  subject: { organization: 'example', commonName: name },
  uri: `https://${name}.example`,
  certChain: { certificates: certificates.map((der) => ({ rawBytes: base64(der) })) },
  validFor: since,
});
const root = {
  mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
  tlogs: [log(logKeys, 'https://rekor.example')],
  certificateAuthorities: [authority('fulcio', [ca.rootCertificate])],
  ctlogs: [log(ctKeys, 'https://ct.example')],
  timestampAuthorities: [authority('tsa', [tsa.intCertificate, tsa.rootCertificate])],
};

/** A certificate for a new key: the same authority, at another time if wanted. */
async function certificate({ identity = IDENTITY, issuer = ISSUER, issued = 0, authorityKeys = caKeys, certificateLog = ctKeys }) {
  const keys = pair();
  const certified = certificateLog ? await initializeCTLog(certificateLog, at(issued)) : undefined;
  // The key makes the authority: a second root certificate of it signs what the first one vouches for.
  const own = await initializeCA(authorityKeys, certified, at(issued));
  const der = await own.issueCertificate({
    publicKey: spki(keys),
    subjectAltName: identity,
    extensions: [{ oid: '1.3.6.1.4.1.57264.1.1', value: issuer, legacy: true }],
  });
  return { keys, der };
}

/** An entry of Rekor v1, with promise and proof. */
async function entry(digest, signature, der, { logger = tlog }) {
  const body = {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: digest.toString('hex') } },
      signature: { content: base64(signature), publicKey: { content: base64(pem(der)) } },
    },
  };
  const [logged] = Object.values(await logger.log(body));
  const { inclusionProof: proof, signedEntryTimestamp } = logged.verification;
  return {
    logIndex: `${logged.logIndex}`,
    logId: { keyId: base64(Buffer.from(logged.logID, 'hex')) },
    kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
    integratedTime: `${logged.integratedTime}`,
    inclusionPromise: { signedEntryTimestamp },
    inclusionProof: {
      logIndex: `${proof.logIndex}`,
      rootHash: base64(Buffer.from(proof.rootHash, 'hex')),
      treeSize: `${proof.treeSize}`,
      hashes: [],
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: logged.body,
  };
}

/** An entry of Rekor v2, which has no time. */
function entry2(digest, signature, der) {
  const verifier = { keyDetails: 'PKIX_ECDSA_P256_SHA_256', x509Certificate: { rawBytes: base64(der) } };
  const data = { algorithm: 'SHA2_256', digest: base64(digest) };
  const spec = { hashedRekordV002: { data, signature: { content: base64(signature), verifier } } };
  const body = Buffer.from(JSON.stringify({ apiVersion: '0.0.2', kind: 'hashedrekord', spec }));
  const logID = sha256(spki(logKeys));
  const proof = tlog.calculateInclusionProof({ body, timestamp: NOW / 1000, logID });
  return {
    logIndex: '0',
    logId: { keyId: base64(logID) },
    kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    inclusionProof: {
      logIndex: '0',
      rootHash: base64(Buffer.from(proof.rootHash, 'hex')),
      treeSize: '1',
      hashes: [],
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: base64(body),
  };
}

async function timestamp(signature, offset) {
  const own = await initializeTSA(tsaKeys, at(offset));
  const request = {
    certReq: true,
    policyOID: '1.2.3.4',
    hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
    artifactHash: sha256(signature),
    nonce: 1,
  };
  return { signedTimestamp: base64(await own.timestamp(request)) };
}

/** A bundle over the manifest, or what `options` make of it. `stamped` is the offset of a timestamp. */
async function bundle(options = {}) {
  const { keys, der } = await certificate(options);
  const message = options.message ?? MANIFEST;
  const key = options.signedBy ?? keys.privateKey;
  const signature = sign('sha256', message, key);
  const digest = sha256(message);
  const logged = options.loggedDigest ?? digest;
  const entries = [options.version2 ? entry2(logged, signature, der) : await entry(logged, signature, der, options)];
  const timestamps = options.stamped === undefined ? [] : [await timestamp(signature, options.stamped)];
  const content = options.payload
    ? { dsseEnvelope: { payload: base64(options.payload), payloadType: IN_TOTO, signatures: [{ sig: base64(signature) }] } }
    : { messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: base64(digest) }, signature: base64(signature) } };
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: {
      certificate: { rawBytes: base64(der) },
      tlogEntries: entries,
      timestampVerificationData: { rfc3161Timestamps: timestamps },
    },
    ...content,
  };
}

const subject = (bytes) => ({ digest: { sha256: sha256(bytes).toString('hex') }, annotations: { env: 'prod' } });
function statement(subjects, predicateType = 'https://sigstore.dev/cosign/sign/v1') {
  const payload = Buffer.from(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject: subjects, predicateType, predicate: {} }));
  const message = Buffer.concat([Buffer.from(`DSSEv1 ${IN_TOTO.length} ${IN_TOTO} ${payload.length} `), payload]);
  return { payload, message, version2: true, stamped: 0 };
}

/** A signature under a `.sig` tag, with its annotations. */
async function legacy(options = {}) {
  const { keys, der } = await certificate(options);
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': options.repository ?? REPOSITORY },
        image: { 'docker-manifest-digest': `sha256:${sha256(options.manifest ?? MANIFEST).toString('hex')}` },
        type: 'cosign container image signature',
      },
      optional: { env: 'prod' },
    }),
  );
  const signature = sign('sha256', payload, keys.privateKey);
  const logged = await entry(options.loggedDigest ?? sha256(payload), signature, der, options);
  return {
    payload: base64(payload),
    signature: base64(signature),
    certificate: pem(der),
    chain: pem(ca.rootCertificate),
    bundle: JSON.stringify({
      SignedEntryTimestamp: logged.inclusionPromise.signedEntryTimestamp,
      Payload: {
        body: logged.canonicalizedBody,
        integratedTime: Number(logged.integratedTime),
        logIndex: Number(logged.logIndex),
        logID: Buffer.from(logged.logId.keyId, 'base64').toString('hex'),
      },
    }),
  };
}

const other = Buffer.from('another manifest');
const slsa = 'https://slsa.dev/provenance/v1';
const vectors = {
  identity: IDENTITY,
  issuer: ISSUER,
  repository: REPOSITORY,
  manifest: MANIFEST.toString(),
  time: NOW / 1000,
  root,
  bundles: {
    'right': await bundle(),
    'right, with a timestamp': await bundle({ stamped: 0 }),
    'right, Rekor v2': await bundle({ version2: true, stamped: 0 }),
    'right, a statement': await bundle(statement([subject(MANIFEST)])),
    'another identity': await bundle({ identity: IDENTITY.replace('example/tools', 'evil/tools') }),
    'another issuer': await bundle({ issuer: 'https://accounts.google.com' }),
    'another authority': await bundle({ authorityKeys: pair('P-384') }),
    'another certificate log': await bundle({ certificateLog: otherCtKeys }),
    'no certificate log': await bundle({ certificateLog: null }),
    'another log': await bundle({ logger: otherLog }),
    'logged for another artifact': await bundle({ loggedDigest: sha256(other) }),
    'signed by another key': await bundle({ signedBy: pair().privateKey }),
    'another artifact': await bundle({ message: other }),
    'expired when it was logged': await bundle({ issued: -HOUR }),
    'not yet valid when it was logged': await bundle({ issued: HOUR }),
    'expired when it was stamped': await bundle({ stamped: HOUR }),
    'expired when it was stamped, Rekor v2': await bundle({ version2: true, stamped: HOUR }),
    'a backdated timestamp beside a later log entry': await bundle({ issued: -HOUR, stamped: -HOUR }),
    'no time at all, Rekor v2': await bundle({ version2: true }),
    'a statement of another artifact': await bundle(statement([subject(other)])),
    'a statement of two artifacts': await bundle(statement([subject(MANIFEST), subject(other)])),
    'a statement of nothing': await bundle(statement([])),
    'an attestation': await bundle(statement([subject(MANIFEST)], slsa)),
  },
  legacy: {
    'right': await legacy(),
    'another repository': await legacy({ repository: 'ghcr.io/example/other' }),
    'another artifact': await legacy({ manifest: other }),
    'another log': await legacy({ logger: otherLog }),
    'logged for another artifact': await legacy({ loggedDigest: sha256(other) }),
    'expired when it was logged': await legacy({ issued: -HOUR }),
    'another identity': await legacy({ identity: IDENTITY.replace('example/tools', 'evil/tools') }),
  },
};
console.log(JSON.stringify(vectors, null, 1));
