// One GET request with the standard `fetch`, within bounds. Redirects are followed here, one by one and only as far as the caller
// wants: whoever runs the component sees, and may refuse, each of the requests.

import { readPage, writePage } from './html.js';
import { invalidArgument, notFound, notReached, notText, redirected, refused, timedOut, tooLarge } from './problem.js';

/** The largest answer, in bytes. */
const LARGEST = 4 << 20;
/** How much of an answer with an error is read, in bytes, and told, in characters. */
const LARGEST_ERROR = 16 << 10;
const LONGEST_MESSAGE = 500;
const LONGEST_URL = 4000;
/** For one request, from sending it to the last byte. */
const MILLISECONDS = 20_000;

/** The text that a server answers with: { url, type, text }. `url` is where it came from in the end. */
export async function get(address, accept, maxRedirects) {
  let url = target(address);
  for (let followed = 0; ; followed += 1) {
    const late = AbortSignal.timeout(MILLISECONDS);
    const response = await send(url, accept, late);
    const next = elsewhere(response, url);
    if (next === undefined) return await answered(response, url, late);
    // Nothing of this answer is of use, and a connection that is not read to its end would stay open.
    await response.body?.cancel();
    if (followed === maxRedirects || (url.protocol === 'https:' && next.protocol !== 'https:')) {
      throw redirected({ source: url.href, target: next.href, status: response.status });
    }
    url = target(next.href);
  }
}

function target(address) {
  if (address.length > LONGEST_URL) throw invalidArgument(`the address is longer than ${LONGEST_URL} characters`);
  let url;
  try {
    url = new URL(address);
  } catch {
    throw invalidArgument(`${address} is not an address; one looks like https://example.com/news`);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw invalidArgument(`${url.protocol} is neither https: nor http:`);
  if (url.username || url.password) throw invalidArgument('an address with a user name or password is not fetched');
  url.hash = '';
  return url;
}

async function send(url, accept, signal) {
  const headers = { accept, 'accept-encoding': 'identity' };
  try {
    // StarlingMonkey never follows redirects by itself, with or without `redirect`; other engines need to be told.
    return await fetch(url.href, { headers, redirect: 'manual', signal });
  } catch (error) {
    if (error?.name === 'TimeoutError') throw tooSlow(url);
    // `fetch` does not tell a script why: not allowed, no such host, no connection and no trust are all the same TypeError.
    throw notReached(`the request to ${url.host} did not get through: it is not allowed, or there is no such host, or no secure connection to it`);
  }
}

/** Where a redirect leads to, as a URL; undefined if the answer is none. */
function elsewhere(response, url) {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  const location = response.headers.get('location');
  if (location === null) return undefined;
  try {
    return new URL(location, url);
  } catch {
    throw refused({ status: response.status, message: 'a redirect to what is no address' });
  }
}

async function answered(response, url, late) {
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel();
    throw notFound(`${url.href}: ${response.status}`);
  }
  const content = contentType(response.headers.get('content-type') ?? '');
  if (!response.ok) {
    const { bytes } = await read(response, LARGEST_ERROR, url, late);
    throw refused({ status: response.status, message: isText(content.type) ? message(decode(bytes, content), content, url) : '' });
  }
  if (!isText(content.type)) {
    await response.body?.cancel();
    throw notText(`${url.href} is ${content.type}, not text`);
  }
  const encoding = (response.headers.get('content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity') {
    await response.body?.cancel();
    throw notText(`${url.href} comes compressed (${encoding}), though that was not asked for`);
  }
  const { bytes, complete } = await read(response, LARGEST, url, late);
  if (!complete) throw tooLarge(`${url.href} has more than ${LARGEST} bytes`);
  return { url: url.href, type: content.type, text: decode(bytes, content) };
}

/** At most `largest` bytes of an answer, and whether that is all of it. */
async function read(response, largest, url, late) {
  const chunks = [];
  let size = 0;
  const reader = response.body?.getReader();
  if (reader === undefined) return { bytes: new Uint8Array(), complete: true };
  // Not every engine ends the reading of a body when the signal of its request is aborted.
  const stopped = new Promise((_, reject) => {
    late.addEventListener('abort', () => reject(tooSlow(url)));
  });
  stopped.catch(() => {});
  for (;;) {
    const { done, value } = await Promise.race([next(reader, url), stopped]);
    if (done) break;
    chunks.push(value);
    size += value.length;
    if (size > largest) {
      await reader.cancel();
      break;
    }
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes: bytes.subarray(0, largest), complete: size <= largest };
}

async function next(reader, url) {
  try {
    return await reader.read();
  } catch (error) {
    if (error?.tag !== undefined) throw error;
    throw timedOut(`the answer of ${url.host} broke off`);
  }
}

const tooSlow = (url) => timedOut(`${url.host} did not answer within ${MILLISECONDS / 1000} seconds`);

/** `text/html; charset=utf-8` in parts. */
function contentType(header) {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(header)?.[1];
  return { type: header.split(';')[0].trim().toLowerCase(), charset };
}

function isText(type) {
  return type === '' || type.startsWith('text/') || /^application\/(?:[a-z0-9.+-]+\+)?(?:json|xml|yaml|javascript|x-ndjson|jsonl|toml|csv)$/.test(type);
}

/** Bytes as text, in the encoding that the server names, else the page itself, else UTF-8. */
function decode(bytes, { type, charset }) {
  const label = byteOrder(bytes) ?? charset ?? (type === '' || type.includes('html') ? declared(bytes) : undefined) ?? 'utf-8';
  let decoder;
  try {
    decoder = new TextDecoder(label);
  } catch {
    throw notText(`the encoding ${label} is not known`);
  }
  return decoder.decode(bytes);
}

function byteOrder(bytes) {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return undefined;
}

/** What `<meta charset=…>` or `<meta http-equiv=… content="…charset=…">` says in the first KiB. */
function declared(bytes) {
  const head = String.fromCharCode(...bytes.subarray(0, 1024));
  return /<meta\b[^>]*\bcharset\s*=\s*["']?\s*([a-z0-9_:.-]+)/i.exec(head)?.[1];
}

/** The first words of an answer with an error. */
function message(text, { type }, url) {
  const words = type.includes('html') ? writePage(readPage(text, url.href), true) : text;
  const line = words.replace(/[\s\u0000-\u001f\u007f]+/g, ' ').trim();
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)}…` : line;
}
