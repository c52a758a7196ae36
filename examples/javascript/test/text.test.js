// `npm test`: the functions as plain JavaScript, without a component around them.

import assert from 'node:assert/strict';
import test from 'node:test';

import { text } from '../src/text.js';

const BOOKS = `{"store": {"book": [
  {"title": "Sayings", "price": 8.95, "isbn": 1},
  {"title": "Sword", "price": 12.99},
  {"title": "Moby Dick", "price": 8.990, "isbn": 12345678901234567890},
  {"title": "L'été \\ud83d\\ude00", "price": 1e2, "tags": ["a", null]}
], "2": 1, "1": {"it's": false}}}`;

const paths = (path, document = BOOKS) => text.queryJson(document, path).matches.map((match) => match.path);
const values = (path, document = BOOKS) => text.queryJson(document, path).matches.map((match) => match.value);
const error = (tag, pattern) => (thrown) => thrown.tag === tag && (pattern ?? /./).test(thrown.val);

test('paths of every kind', () => {
  assert.deepEqual(values('$.store.book[*].title'), ['"Sayings"', '"Sword"', '"Moby Dick"', '"L\'été 😀"']);
  assert.deepEqual(paths('$..isbn'), ["$['store']['book'][0]['isbn']", "$['store']['book'][2]['isbn']"]);
  assert.deepEqual(paths("$.store['1'][\"it's\"]"), ["$['store']['1']['it\\'s']"]);
  assert.deepEqual(values('$.store.book[-1].tags[1, 0, 7]'), ['null', '"a"']);
  assert.deepEqual(values('$[1:3]', '[0,1,2,3]'), ['1', '2']);
  assert.deepEqual(values('$[::-1]', '[0,1,2]'), ['2', '1', '0']);
  assert.deepEqual(values('$[5:1:-2]', '[0,1,2,3,4,5,6]'), ['5', '3']);
  assert.deepEqual(values('$[-2:]', '[0,1,2]'), ['1', '2']);
  assert.deepEqual(values('$[::0]', '[0,1]'), []);
  assert.deepEqual(values('$'), [values('$')[0]]);
  assert.deepEqual(values('$..*', '{"a":[1]}'), ['[1]', '1']);
});

test('filters', () => {
  const titles = (condition) => values(`$.store.book[?${condition}].title`).map((title) => JSON.parse(title)[0] + JSON.parse(title)[1]);
  assert.deepEqual(titles('@.price < 10'), ['Sa', 'Mo']);
  assert.deepEqual(titles('@.price == 8.99'), ['Mo']);
  assert.deepEqual(titles('@.isbn && !(@.price > 8.96)'), ['Sa']);
  assert.deepEqual(titles('!@.isbn || @.isbn == 1'), ['Sa', 'Sw', "L'"]);
  assert.deepEqual(titles('match(@.title, "S.*d")'), ['Sw']);
  assert.deepEqual(titles("search(@['title'], '[aé]y')"), ['Sa']);
  assert.deepEqual(titles('length(@.title) == 7'), ['Sa', "L'"]);
  assert.deepEqual(titles('count(@.tags[*]) >= 2'), ["L'"]);
  assert.deepEqual(titles('value(@.tags[1]) == null'), ["L'"]);
  assert.deepEqual(titles('@.price == $.store.book[1].price'), ['Sw']);
  assert.deepEqual(titles('@.tags == $.nothing'), ['Sa', 'Sw', 'Mo']);
  assert.deepEqual(values('$[?@ < "b"]', '["a","b",1,"aa"]'), ['"a"', '"aa"']);
});

test('nothing of a document is lost', () => {
  assert.equal(values('$.store.book[2].isbn')[0], '12345678901234567890');
  assert.equal(values('$.store.book[2].price')[0], '8.990');
  assert.equal(values('$', '{"b":1,"1":2,"__proto__":{"x":[]}}')[0], '{"b":1,"1":2,"__proto__":{"x":[]}}');
});

test('limits and bad arguments', () => {
  const { matches, total } = text.queryJson('[1,2,3]', '$[*]', 2);
  assert.deepEqual([matches.length, total], [2, 3]);
  for (const limit of [0, 10_001]) assert.throws(() => text.queryJson('[]', '$', limit), error('invalid-argument'));
  for (const path of ['', 'store', '$.', '$[', '$[01]', '$[-0]', '$.a b', '$[?1]', '$[?@.a == @.*]', '$[?f(@)]', '$[?length(@.a)]', "$['a]",
    '$[?count(1) == 1]', '$[?match(@.a)]', '$[?!@.a == 1]', '$[?@.a == 01]', '$ ', '$[9007199254740992]', `$[?${'('.repeat(200)}@.a`]) {
    assert.throws(() => text.queryJson('{}', path), error('invalid-argument'), path);
  }
  for (const json of ['', '{', '[1,]', '{"a" 1}', "{'a':1}", '01', '1 2', '"\t"', '"\\x"', '"\\u12"', 'nul', '[1', '"a', '+1', '.5', 'NaN']) {
    assert.throws(() => text.queryJson(json, '$'), error('invalid-text', /^line 1, column \d+: /), json);
  }
  assert.throws(() => text.queryJson('{\n  "a": x}', '$'), error('invalid-text', /^line 2, column 8: expected a JSON value, found "x"/));
  assert.throws(() => text.queryJson('['.repeat(600), '$'), error('too-large'));
  assert.throws(() => text.queryJson(' '.repeat(4_000_001), '$'), error('too-large'));
});

test('tables from and to every format', () => {
  const csv = 'name,n,note\n"Bo, ""B""",007,"two\nlines"\nÉve,1.50,\n';
  const json = text.convertTable(csv, 'csv', 'json');
  assert.deepEqual(JSON.parse(json.text), [{ name: 'Bo, "B"', n: '007', note: 'two\nlines' }, { name: 'Éve', n: 1.5, note: null }]);
  assert.match(json.text, /"n":1\.50/);
  assert.deepEqual([json.columns, json.rows], [['name', 'n', 'note'], 2]);
  assert.equal(text.convertTable(json.text, 'json', 'csv').text, csv);
  for (const format of ['semicolon', 'tsv', 'json', 'json-lines', 'markdown']) {
    for (const typed of [true, false]) {
      const there = text.convertTable(csv, 'csv', format, typed);
      assert.equal(text.convertTable(there.text, format, 'csv').text, csv, format);
    }
  }
  assert.equal(text.convertTable('a\r\n1\r\n\r\n2', 'csv', 'json-lines').text, '{"a":1}\n{"a":2}\n');
  assert.equal(text.convertTable('[{"a":{"b":[1]}},{"c":true}]', 'json', 'csv').text, 'a,c\n"{""b"":[1]}",\n,true\n');
  assert.equal(text.convertTable('[{"a":""},{"a":"x"}]', 'json', 'csv').text, 'a\n""\nx\n');
  assert.equal(text.convertTable('x | y\n--|:-:\na\\|b | c\n\nafter', 'markdown', 'csv').text, 'x,y\na|b,c\n');
  assert.deepEqual(text.convertTable('[]', 'json', 'json'), { text: '[]', columns: [], rows: 0 });
});

test('bad tables', () => {
  const bad = (table, format, pattern) => assert.throws(() => text.convertTable(table, format, 'json'), error('invalid-text', pattern));
  bad('', 'csv', /empty/);
  bad('a,b\n1\n', 'csv', /line 2, column 1: a row of 1 cells in a table of 2/);
  bad('a\n"x', 'csv', /line 2, column 1: the quoted cell has no end/);
  bad('a\n"x"y\n', 'csv', /line 2, column 4/);
  bad('a,a\n', 'csv', /two columns are named "a"/);
  bad('{}', 'json', /array of objects/);
  bad('[1]', 'json', /item 1: expected an object/);
  bad('{"a":1}\n[', 'json-lines', /line 2, column 2/);
  bad('{"a":1}\n\n[]', 'json-lines', /line 3: expected an object/);
  bad('no table', 'markdown', /no table/);
});

/** What `patch` would make of a text whose last line ends: the difference applied, every line that it names checked. */
function patched(before, diff) {
  const all = before.split('\n').slice(0, -1);
  const out = [];
  let at = 0;
  for (const line of diff.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? \+/.exec(line);
    if (hunk) {
      const start = Number(hunk[1]) - (hunk[2] === '0' ? 0 : 1);
      while (at < start) out.push(all[at++]);
      continue;
    }
    if (line[0] !== '+') assert.equal(line.slice(1), all[at++]);
    if (line[0] !== '-') out.push(line.slice(1));
  }
  while (at < all.length) out.push(all[at++]);
  return out.map((line) => `${line}\n`).join('');
}

test('differences', () => {
  assert.deepEqual(text.compareTexts('a\nb\n', 'a\r\nb\r\n'), { equal: true, added: 0, removed: 0, diff: '' });
  assert.equal(text.compareTexts('a\nb\nc\n', 'a\nx\nc\n', 1).diff, '--- before\n+++ after\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n');
  assert.equal(text.compareTexts('', 'a', 0).diff, '--- before\n+++ after\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n');
  assert.equal(text.compareTexts('a\n', 'a').diff, '--- before\n+++ after\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n');
  assert.throws(() => text.compareTexts('', '', 101), error('invalid-argument'));
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 300; round += 1) {
    const before = Array.from({ length: random(30) }, () => 'abcdef'[random(6)]);
    const after = before.flatMap((line) => [[], [line], [line], ['abcxyz'[random(6)], line]][random(4)]);
    const [one, two] = [before, after].map((lines) => lines.map((line) => `${line}\n`).join(''));
    const { diff, added, removed, equal } = text.compareTexts(one, two, random(4));
    assert.equal(added - removed, after.length - before.length);
    assert.equal(equal, one === two);
    if (!equal) assert.equal(patched(one, diff), two);
  }
});

test('large differences stay quick', () => {
  const before = Array.from({ length: 40_000 }, (_, i) => `line ${i % 7 === 0 ? i : 'same'}`);
  const after = before.map((line, i) => (i % 5 === 0 ? `${line}!` : line));
  const { added, removed } = text.compareTexts(before.join('\n'), after.join('\n'));
  assert.ok(added === removed && added >= 8000 && added < 12_000, `${added}`);
  const other = before.map((_, i) => `other ${i}`);
  assert.equal(text.compareTexts(before.join('\n'), other.join('\n')).added, 40_000);
});

test('Markdown', () => {
  const plain = (markdown, addresses) => text.markdownToText(markdown, addresses);
  assert.equal(plain('# A *title* #\n\nSome\n**bold** and _thin_ text,  \nsnake_case_name `a * b`\n'), 'A title\n\nSome bold and thin text,\nsnake_case_name a * b\n');
  assert.equal(plain('[a](http://x.y/z_(1) "t") <https://q.r> ![pic](p.png) [b][1] [c]\n\n[1]: http://one\n[c]: <http://c> "t"'),
    'a (http://x.y/z_(1)) https://q.r pic b (http://one) c (http://c)\n');
  assert.equal(plain('[a](http://x)', false), 'a\n');
  assert.equal(plain('- one\n  more\n- [x] two\n  1. deep\n'), '- one more\n- (done) two\n  1. deep\n');
  assert.equal(plain('> quoted\n> text\n\n```js\n**kept** <b>\n```\nTitle\n=====\n---\n'), 'quoted text\n\n**kept** <b>\n\nTitle\n');
  assert.equal(plain('|a|b|\n|-|-|\n|*1*|2|\n'), 'a | b\n1 | 2\n');
  assert.equal(plain('a &amp; b &#65;&#x1F600; \\*x\\* <em>y</em><br>z <!-- no -->'), 'a & b A😀 *x* y\nz\n');
  assert.equal(plain(''), '');
});

test('Markdown of bad shape ends soon', () => {
  for (const piece of ['[', '*a ', '_', '`', '![', '<a ', '[a](', '> ', '| ', '&#', '**a', '<!--', '- ', '``a`']) {
    const start = Date.now();
    text.markdownToText(piece.repeat(20_000));
    assert.ok(Date.now() - start < 4000, `${piece}: ${Date.now() - start} ms`);
  }
});
