// `npm test`: the functions as plain JavaScript, against a server on loopback, without a component around them.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test, { after, before } from 'node:test';

import { readPage, writePage } from '../src/html.js';
import { web } from '../src/web.js';

const BASE = 'https://example.com/a/b';
const markdown = (html, everything = false) => writePage(readPage(html, BASE, true), everything);
const plain = (html, everything = false) => writePage(readPage(html, BASE, false), everything);
const fails = (tag, pattern) => (thrown) => {
  assert.equal(thrown.tag, tag, JSON.stringify(thrown));
  assert.match(JSON.stringify(thrown.val), pattern ?? /./);
  return true;
};

test('the text of a page', () => {
  assert.equal(markdown('<p>One\n  two&nbsp;<b> three </b>&amp; four<p>five<br>six'), 'One two **three** & four\n\nfive\nsix');
  assert.equal(plain('<p>One <b>two</b> <i>three</i> <code>four</code>'), 'One two three four');
  assert.equal(markdown('<h1>A\n b</h1><div>c<div>d</div>e</div><h3>f <em>g</em></h3>'), '# A b\n\nc\n\nd\n\ne\n\n### f *g*');
  assert.equal(markdown('a<hr>b'), 'a\n\n---\n\nb');
  assert.equal(markdown('<p>a<code>`b`</code>'), 'a`` `b` ``');
  assert.equal(markdown('<img src="/x.png" alt="A cat"><img src=y.png>'), '![A cat](https://example.com/x.png)');
  assert.equal(plain('<img src="/x.png" alt="A cat">'), 'A cat');
  assert.equal(markdown(''), '');
  assert.equal(markdown('just text, 1 < 2 & 3 > 2'), 'just text, 1 < 2 & 3 > 2');
});

test('links', () => {
  assert.equal(markdown('<a href="../c?d#e"> f\ng</a>.'), '[f g](https://example.com/c?d#e).');
  assert.equal(markdown('<a href="w(1)">x</a>'), '[x](<https://example.com/a/w(1)>)');
  assert.equal(markdown('<a href="javascript:alert(1)">x</a> <a href="#y">y</a> <a>z</a> <a href="data:,q">q</a>'), 'x y z q');
  assert.equal(markdown('<base href="https://other.example/q/"><a href=r>s</a>'), '[s](https://other.example/q/r)');
  assert.equal(markdown('<a href=/x><h2>T</h2><p>u</p></a>'), '## [T](https://example.com/x)\n\n[u](https://example.com/x)');
  assert.deepEqual(readPage('<a href=/x><img alt="I"></a><a href="/y"> one <b>two</b></a><a href=/x>again</a>', BASE).links, [
    { url: 'https://example.com/x', text: 'I' },
    { url: 'https://example.com/y', text: 'one two' },
  ]);
});

test('lists, quotations, code and tables', () => {
  assert.equal(markdown('<ul><li>a<li>b<ol start=3><li>c<li><p>d<p>e</ol></ul>f'), '- a\n- b\n  3. c\n  4. d\n\n     e\n\nf');
  assert.equal(markdown('<blockquote><p>a<p>b<ul><li>c</ul></blockquote>'), '> a\n\n> b\n\n> - c');
  assert.equal(markdown('<pre>\n  a <b>b</b>\n\n   c &lt;\n</pre>'), '```\n  a b\n\n   c <\n```');
  assert.equal(markdown('<pre>```</pre>'), '````\n```\n````');
  assert.equal(
    markdown('<table><caption>T</caption><tr><th>a<th>b<tr><td>1|2<td><p>x</p><p>y</p></table>'),
    'T\n\n| a | b |\n|---|---|\n| 1\\|2 | x y |',
  );
  assert.equal(plain('<table><tr><th>a<th>b<tr><td>1<td>2</table>'), 'a | b\n1 | 2');
  assert.equal(markdown('<table><tr><td>nav<td>one<table><tr><td>x<td>y</table>two<tr><td>end</table>'), 'nav\n\none\n\n| x | y |\n|---|---|\n\ntwo\n\nend');
});

test('what is left out', () => {
  const body = 'Long enough to be what the page is about. '.repeat(6).trim();
  const page = `<head><title> A
    title </title><meta name=description content="What it is."><style>p{}</style></head>
    <header>Site</header><nav><a href=/n>Nav</a></nav><main><p>${body}</p><aside>Ad</aside><footer>By X</footer></main>
    <p>Beside</p><script>var x = '<p>no</p>';</script><form>Form <button>Go</button></form>
    <p hidden>1</p><p aria-hidden=true>2</p><p style="color:red; display : none">3<b>4</b></p><footer>Foot</footer>`;
  assert.equal(markdown(page), `${body}\n\nBy X`);
  assert.equal(plain(page, true), `Site\n\nNav\n\n${body}\n\nAd\n\nBy X\n\nBeside\n\nForm\n\nFoot`);
  assert.equal(plain('<main>short</main><p>more</p><nav>n</nav>'), 'short\n\nmore');
  assert.equal(plain('<nav>only</nav>'), 'only');
  const { title, description } = readPage(page, BASE);
  assert.deepEqual([title, description], ['A title', 'What it is.']);
  assert.equal(readPage('<meta property="og:title" content="O"><h1>H</h1>', BASE).title, 'O');
  assert.equal(readPage('<h1><a href=/>H</a></h1><h1>I</h1>', BASE).title, 'H');
  assert.equal(plain('a\u202eb\u200b\u00adc\u{e0041}\u0007 d&#x202e;'), 'abc d');
});

test('pages that are made to be hard', () => {
  for (const html of ['</p></b></table></ul></div>', '<td>a</td>', '<li>a', '<table><b>x</table>', '<a href=/x><a href=/y>z', '<b><p>x</b>y', '<', '<!', '<!--', '<![CDATA[x', '<p title="']) {
    assert.equal(typeof markdown(html), 'string');
  }
  assert.throws(() => markdown('<b>'.repeat(100_000)), fails('too-large', /nested/));
  assert.throws(() => markdown('<div>'.repeat(2001)), fails('too-large', /nested/));
  assert.equal(markdown(`${'<ul><li>'.repeat(500)}x`).trim().slice(-1), 'x');
  assert.equal(markdown(`${'<table><tr><td>'.repeat(500)}x`), 'x');
  assert.equal(markdown(`${'<b>'.repeat(1000)}${'<p>x'.repeat(20_000)}`).split('\n\n').length, 20_000);
  assert.throws(() => readPage(`<base href="https://x.example/${'y'.repeat(3000)}/">${'<a href=z>q</a>'.repeat(10_000)}`, BASE), fails('too-large'));
});

let server;
let origin;

before(async () => {
  const send = (response, status, headers, body = '') => response.writeHead(status, headers).end(body);
  const html = { 'content-type': 'text/html; charset=utf-8' };
  const answers = {
    '/page': (response) => send(response, 200, html, '<title>T</title><h1>Hi</h1><p>é <a href="x">link</a><a href="https://o.example/">Other</a>'),
    '/latin': (response) => send(response, 200, { 'content-type': 'text/html' }, Buffer.from('<meta charset="iso-8859-2"><p>\xe9\xb1', 'latin1')),
    '/named': (response) => send(response, 200, { 'content-type': 'text/plain; charset=klingon' }, 'x'),
    '/bare': (response) => send(response, 200, {}, '<!doctype html><p>bare'),
    '/text': (response) => send(response, 200, { 'content-type': 'text/plain' }, 'a😀b<p>'),
    '/json': (response) => send(response, 200, { 'content-type': 'application/json' }, '{"items":[{"n":12345678901234567890},{"n":2.50}]}'),
    '/image': (response) => send(response, 200, { 'content-type': 'image/png' }, 'x'),
    '/gzip': (response) => send(response, 200, { ...html, 'content-encoding': 'x-own' }, 'x'),
    '/large': (response) => send(response, 200, html, 'x'.repeat((4 << 20) + 1)),
    '/gone': (response) => send(response, 410, html),
    '/broken': (response) => send(response, 503, html, '<style>p{}</style><h1>Busy</h1><p>Later.'),
    '/cut': (response) => {
      response.writeHead(200, { ...html, 'content-length': '100' }).write('x');
      setTimeout(() => response.destroy(), 20);
    },
    '/moved': (response) => send(response, 301, { location: '/page#there' }, 'gone'),
    '/twice': (response) => send(response, 302, { location: '/moved' }),
    '/circle': (response) => send(response, 302, { location: '/circle' }),
    '/file': (response) => send(response, 302, { location: 'file:///etc/passwd' }),
    '/nowhere': (response) => send(response, 302, { location: 'http://' }),
    '/empty': (response) => send(response, 204, {}),
    '/echo': (response, request) => send(response, 200, { 'content-type': 'text/plain' }, JSON.stringify([request.method, request.headers.accept])),
  };
  server = createServer((request, response) => (answers[request.url] ?? ((other) => send(other, 404, html)))(response, request));
  await new Promise((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  origin = `http://127.0.0.1:${server.address().port}`;
});
after(() => server.close());

test('a page is fetched', async () => {
  assert.deepEqual(await web.fetchPage(`${origin}/page#part`), {
    title: 'T',
    description: undefined,
    text: `# Hi\n\né [link](${origin}/x)[Other](https://o.example/)`,
    url: `${origin}/page`,
    total: 45 + origin.length,
    next: undefined,
  });
  assert.equal((await web.fetchPage(`${origin}/page`, 'plain')).text, 'Hi\n\né linkOther');
  assert.equal((await web.fetchPage(`${origin}/latin`)).text, 'éą');
  assert.equal((await web.fetchPage(`${origin}/bare`)).text, 'bare');
  assert.equal((await web.fetchPage(`${origin}/text`)).text, 'a😀b<p>');
  assert.equal((await web.fetchPage(`${origin}/empty`)).text, '');
  assert.deepEqual(JSON.parse((await web.fetchPage(`${origin}/echo`)).text), ['GET', 'text/html, text/plain;q=0.9, */*;q=0.5']);
});

test('a page in parts', async () => {
  const parts = [];
  for (let next = 0; next !== undefined; ) {
    const page = await web.fetchPage(`${origin}/text`, undefined, next, 2);
    parts.push(page.text);
    ({ next } = page);
  }
  assert.deepEqual(parts, ['a', '😀', 'b<', 'p>']);
  assert.deepEqual((await web.fetchPage(`${origin}/text`, undefined, 1, 1)).text, '😀');
  assert.deepEqual((await web.fetchPage(`${origin}/text`, undefined, 99, 1)).text, '');
});

test('redirects are followed as far as one wants', async () => {
  await assert.rejects(web.fetchPage(`${origin}/moved`), (thrown) => {
    assert.deepEqual(thrown, { tag: 'redirected', val: { source: `${origin}/moved`, target: `${origin}/page#there`, status: 301 } });
    return true;
  });
  assert.equal((await web.fetchPage(`${origin}/moved`, undefined, undefined, undefined, 1)).url, `${origin}/page`);
  await assert.rejects(web.fetchPage(`${origin}/twice`, undefined, undefined, undefined, 1), fails('redirected', /moved"/));
  assert.equal((await web.fetchPage(`${origin}/twice`, undefined, undefined, undefined, 2)).title, 'T');
  await assert.rejects(web.listLinks(`${origin}/circle`, undefined, undefined, 10), fails('redirected'));
  await assert.rejects(web.fetchPage(`${origin}/file`, undefined, undefined, undefined, 1), fails('invalid-argument', /file:/));
  await assert.rejects(web.fetchPage(`${origin}/nowhere`), fails('refused', /no address/));
});

test('what goes wrong is told', async () => {
  await assert.rejects(web.fetchPage('example.com'), fails('invalid-argument', /https:/));
  await assert.rejects(web.fetchPage('ftp://example.com/'), fails('invalid-argument', /ftp:/));
  await assert.rejects(web.fetchPage('http://me:secret@127.0.0.1/'), fails('invalid-argument', /password/));
  await assert.rejects(web.fetchPage(`http://127.0.0.1/${'x'.repeat(4000)}`), fails('invalid-argument', /4000/));
  await assert.rejects(web.fetchPage(`${origin}/page`, undefined, undefined, 0), fails('invalid-argument', /max-characters/));
  await assert.rejects(web.fetchPage(`${origin}/page`, undefined, undefined, undefined, 11), fails('invalid-argument', /max-redirects/));
  await assert.rejects(web.fetchPage('http://127.0.0.1:1/'), fails('not-reached', /127\.0\.0\.1:1 did not get through/));
  await assert.rejects(web.fetchPage(`${origin}/none`), fails('not-found', /404/));
  await assert.rejects(web.fetchPage(`${origin}/gone`), fails('not-found', /410/));
  await assert.rejects(web.fetchPage(`${origin}/broken`), fails('refused', /^\{"status":503,"message":"Busy Later\."\}$/));
  await assert.rejects(web.fetchPage(`${origin}/image`), fails('not-text', /image\/png/));
  await assert.rejects(web.fetchPage(`${origin}/gzip`), fails('not-text'));
  await assert.rejects(web.fetchPage(`${origin}/named`), fails('not-text', /klingon/));
  await assert.rejects(web.fetchPage(`${origin}/large`), fails('too-large', /4194304/));
  await assert.rejects(web.fetchPage(`${origin}/cut`), fails('timed-out', /broke off/));
});

test('links and JSON are fetched', async () => {
  assert.deepEqual(await web.listLinks(`${origin}/page`, 'OTHER'), {
    url: `${origin}/page`, links: [{ url: 'https://o.example/', text: 'Other' }], total: 1,
  });
  assert.deepEqual((await web.listLinks(`${origin}/page`, undefined, 1)).total, 2);
  await assert.rejects(web.listLinks(`${origin}/text`), fails('not-text'));
  assert.deepEqual(await web.fetchJson(`${origin}/json`, '$.items[*].n', 1), {
    url: `${origin}/json`, matches: [{ path: "$['items'][0]['n']", value: '12345678901234567890' }], total: 2,
  });
  assert.equal((await web.fetchJson(`${origin}/json`)).matches[0].path, '$');
  await assert.rejects(web.fetchJson(`${origin}/text`), fails('invalid-text', /line 1/));
  await assert.rejects(web.fetchJson(`${origin}/json`, 'items'), fails('invalid-argument'));
});
