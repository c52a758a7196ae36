// The functions of wit/web/world.wit. A function may be async: the component answers when its promise is settled.

import { get } from './http.js';
import { readPage, writePage } from './html.js';
import { parse, print } from './json.js';
import { location, select } from './jsonpath.js';
import { bounded, notText, tooLarge } from './problem.js';

/** The most characters of JSON text in an answer: less than what Casemate passes on by default. */
const MOST_JSON = 400_000;

export const web = {
  async fetchPage(url, format, start, maxCharacters, maxRedirects, everything) {
    const most = bounded('max-characters', maxCharacters, 20_000, 1, 100_000);
    const answer = await get(url, 'text/html, text/plain;q=0.9, */*;q=0.5', redirects(maxRedirects));
    const page = isHtml(answer)
      ? written(answer, format ?? 'markdown', everything ?? false)
      : { title: undefined, description: undefined, text: answer.text };
    return { ...page, ...part(page.text, start ?? 0, most), url: answer.url, total: page.text.length };
  },

  async listLinks(url, containing, limit, maxRedirects) {
    const most = bounded('limit', limit, 100, 1, 1000);
    const answer = await get(url, 'text/html', redirects(maxRedirects));
    if (!isHtml(answer)) throw notText(`${answer.url} is ${answer.type || 'of no named type'}, not HTML`);
    const wanted = (containing ?? '').toLowerCase();
    const links = readPage(answer.text, answer.url).links.filter(
      (link) => link.url.toLowerCase().includes(wanted) || link.text.toLowerCase().includes(wanted),
    );
    return { url: answer.url, links: links.slice(0, most), total: links.length };
  },

  async fetchJson(url, path, limit, maxRedirects) {
    const most = bounded('limit', limit, 100, 1, 1000);
    const answer = await get(url, 'application/json, */*;q=0.5', redirects(maxRedirects));
    const nodes = select(parse(answer.text), path ?? '$');
    const matches = nodes.slice(0, most).map((node) => ({ path: location(node), value: print(node.value) }));
    const size = matches.reduce((sum, match) => sum + match.path.length + match.value.length, 0);
    if (size > MOST_JSON) throw tooLarge(`the selected parts have ${size} characters, more than ${MOST_JSON}; select less with path or limit`);
    return { url: answer.url, matches, total: nodes.length };
  },
};

const redirects = (given) => bounded('max-redirects', given, 0, 0, 10);

/** What names itself HTML, or names nothing and begins like it. */
function isHtml({ type, text }) {
  return type === 'text/html' || type === 'application/xhtml+xml' || (type === '' && /^\s*<(?:!doctype html|html|head|body)\b/i.test(text));
}

function written(answer, format, everything) {
  const page = readPage(answer.text, answer.url, format === 'markdown');
  return { title: page.title, description: page.description, text: writePage(page, everything) };
}

/** At most so many characters of a text. Those that take two code units are not cut in halves. */
function part(text, start, most) {
  const whole = (at) => (/^[\udc00-\udfff]/.test(text.slice(at, at + 1)) && /[\ud800-\udbff]$/.test(text.slice(0, at)) ? at - 1 : at);
  const from = whole(Math.min(start, text.length));
  let to = whole(Math.min(from + most, text.length));
  if (to === from) to = Math.min(from + 2, text.length);
  return { text: text.slice(from, to), next: to < text.length ? to : undefined };
}
