// HTML as text to read. The parser (htmlparser2) reports tags and text in order; what they mean for the text is written down below,
// element by element. There is no tree, so that a page costs little more memory than its text.

import { Parser } from 'htmlparser2';

import { tooLarge } from './problem.js';

/** The most characters of text and addresses that are gathered from a page. */
const LONGEST = 4_000_000;
/** The most elements within one another, and the most lists and quotations that are indented. */
const DEEPEST = 2000;
const DEEPEST_INDENT = 12;
/** The most links and marks within one another: each block goes through all that are open. */
const DEEPEST_MARKS = 20;
/** A cell with more characters than this is layout, not data. */
const LONGEST_CELL = 400;
/** A main part with fewer characters than this is not all there is to read. */
const SHORTEST_MAIN = 200;

const SILENT = new Set(
  'script style noscript template svg math iframe object canvas audio video select datalist textarea button input dialog'.split(' '),
);
const BLOCKS = new Set(
  'address body center dd details dl dt fieldset figcaption figure form html legend p section div search summary caption hgroup menu'.split(' '),
);
const EDGE_ROLES = new Set(['navigation', 'banner', 'contentinfo', 'complementary', 'search']);
// Characters that nobody sees, or that make a text look other than it is: controls, marks of direction, tags.
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]|\udb40[\udc00-\udc7f]/g;

/** What is on a page: { title, description, blocks, links }. `markdown`: whether the text of the blocks is marked up. */
export function readPage(html, url, markdown = false) {
  const reader = new Reader(url, markdown);
  const parser = new Parser({
    onopentag: (name, attributes) => reader.open(name, attributes),
    ontext: (text) => reader.text(text),
    onclosetag: () => reader.close(),
  });
  parser.end(html);
  reader.flush();
  return {
    title: oneLine(reader.title.text) || reader.named.get('og:title') || reader.heading || undefined,
    description: reader.named.get('description') || reader.named.get('og:description') || undefined,
    blocks: reader.blocks,
    links: [...reader.links].map(([address, text]) => ({ url: address, text })),
  };
}

/** The blocks of a page as one text: those of its main part if there is one, unless everything is wanted. */
export function writePage({ blocks }, everything) {
  const length = (some) => some.reduce((sum, block) => sum + block.text.length, 0);
  const body = blocks.filter((block) => !block.edge);
  const parts = [body.filter((block) => block.main), body.filter((block) => block.article)];
  const chosen = everything || body.length === 0 ? blocks : (parts.find((some) => length(some) >= SHORTEST_MAIN) ?? body);
  return chosen.map((block, i) => (i === 0 ? '' : block.item && chosen[i - 1].listed ? '\n' : '\n\n') + block.text).join('');
}

class Reader {
  /** What is still to be closed: for each open element what to do then. */
  elements = [];
  blocks = [];
  /** Addresses and the texts that lead there, in order. */
  links = new Map();
  /** Named texts of the head. */
  named = new Map();
  title = { text: '' };
  heading = '';

  // The line that is being gathered: the innermost open piece of it is last.
  #pieces = [{ text: '' }];
  // Around it: lists, items and quotations, tables, and how deep in what.
  #containers = [];
  #tables = [];
  #in = { silent: 0, pre: 0, heading: 0, edge: 0, main: 0, article: 0 };
  #title = false;
  #size = 0;

  constructor(url, markdown) {
    this.base = url;
    this.markdown = markdown;
  }

  open(name, attributes) {
    if (this.elements.length >= DEEPEST) throw tooLarge(`the page is nested more than ${DEEPEST} deep`);
    if (this.#in.silent > 0 || SILENT.has(name) || isHidden(attributes)) {
      this.elements.push(this.#within('silent'));
      return;
    }
    const closed = this.#region(name, attributes.role);
    const element = this.#element(name, attributes);
    this.elements.push(() => {
      element?.();
      closed?.();
    });
  }

  close() {
    this.elements.pop()?.();
  }

  text(text) {
    if (this.#in.silent > 0) return;
    const seen = text.replace(UNSEEN, '');
    this.#count(seen);
    if (this.#title) this.title.text += seen;
    else this.#add(this.#in.pre > 0 ? seen : seen.replace(/\s+/g, ' '));
  }

  /** Ends the line that is being gathered, and makes a block of it. Pieces that are open go on in the next line. */
  flush() {
    const line = this.#line();
    if (this.#in.pre > 0) {
      this.#pieces[0].text = line === '' || line.endsWith('\n') ? line : `${line}\n`;
    } else if (this.#tables.at(-1)?.cell) {
      this.#pieces[0].text = `${line} `;
    } else {
      const text = tidy(line);
      const level = this.#in.heading;
      if (text !== '') this.#block(level === 0 ? text : `${this.markdown ? `${'#'.repeat(level)} ` : ''}${oneLine(text)}`);
    }
  }

  /** Where on the page an element and all in it belongs. */
  #region(name, role) {
    const framed = this.#in.main > 0 || this.#in.article > 0;
    if (name === 'nav' || name === 'aside' || EDGE_ROLES.has(role) || ((name === 'header' || name === 'footer') && !framed)) return this.#area('edge');
    if (name === 'main' || role === 'main') return this.#area('main');
    if (name === 'article') return this.#area('article');
    return name === 'header' || name === 'footer' ? this.#paragraph() : undefined;
  }

  #area(name) {
    this.flush();
    const left = this.#within(name);
    return () => {
      this.flush();
      left();
    };
  }

  /** What an element does to the text. Returns what to do when it is closed. */
  #element(name, attributes) {
    if (BLOCKS.has(name)) return this.#paragraph();
    switch (name) {
      case 'title':
        this.#title = true;
        return () => {
          this.#title = false;
        };
      case 'meta':
        return this.#meta(attributes);
      case 'base':
        this.base = this.#address(attributes.href) ?? this.base;
        return undefined;
      case 'h1': case 'h2': case 'h3': case 'h4': case 'h5': case 'h6':
        return this.#headed(Number(name[1]));
      case 'br':
        return this.#add('\n');
      case 'hr':
        this.flush();
        return this.markdown ? this.#block('---') : undefined;
      case 'img':
        return this.#image(attributes);
      case 'a':
        return this.#link(this.#address(attributes.href));
      case 'b': case 'strong':
        return this.#marked((text) => `**${text}**`);
      case 'i': case 'em':
        return this.#marked((text) => `*${text}*`);
      case 'code': case 'kbd': case 'samp':
        return this.#marked((text) => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``));
      case 'pre':
        return this.#preformatted();
      case 'blockquote':
        return this.#container({ first: this.markdown ? '> ' : '', rest: this.markdown ? '> ' : '' });
      case 'ul': case 'ol':
        return this.#container({ first: '', rest: '', ordered: name === 'ol', number: Number.parseInt(attributes.start ?? '1', 10) || 1 });
      case 'li':
        return this.#item();
      case 'table':
        return this.#table();
      case 'tr':
        return this.#row();
      case 'td': case 'th':
        return this.#cell();
      default:
        return undefined;
    }
  }

  #paragraph() {
    this.flush();
    return () => this.flush();
  }

  #meta({ name, property, content }) {
    const key = (name ?? property ?? '').toLowerCase();
    const text = oneLine((content ?? '').replace(UNSEEN, ''));
    if (['description', 'og:title', 'og:description'].includes(key) && text !== '' && !this.named.has(key)) {
      this.#count(text);
      this.named.set(key, text.slice(0, 1000));
    }
  }

  #headed(level) {
    this.flush();
    const left = this.#within('heading', level);
    return () => {
      if (level === 1 && this.heading === '') this.heading = oneLine(this.#pieces.map((piece) => piece.text).join(''));
      this.flush();
      left();
    };
  }

  #image({ alt, src }) {
    const text = oneLine((alt ?? '').replace(UNSEEN, ''));
    if (text === '') return;
    const address = this.markdown ? this.#address(src) : undefined;
    this.#count(text, address ?? '');
    this.#add(address === undefined ? text : `![${text}](${bracketed(address)})`);
  }

  #link(address) {
    if (address === undefined) return undefined;
    this.#count(address);
    if (!this.links.has(address)) this.links.set(address, '');
    return this.#piece((text) => {
      const line = oneLine(text);
      if (this.links.get(address) === '') this.links.set(address, line);
      return this.markdown && this.#in.pre === 0 ? `[${line}](${bracketed(address)})` : line;
    });
  }

  #marked(mark) {
    return this.markdown && this.#in.pre === 0 ? this.#piece(mark) : undefined;
  }

  /** A piece of the line, which is changed as a whole when it ends. */
  #piece(changed) {
    if (this.#pieces.length > DEEPEST_MARKS) return undefined;
    const piece = { text: '', changed };
    this.#pieces.push(piece);
    return () => {
      const at = this.#pieces.indexOf(piece);
      this.#fold(at);
      this.#pieces.length = at;
    };
  }

  /** Puts the open pieces from the given one on into the piece around them. */
  #fold(from) {
    for (let i = this.#pieces.length - 1; i >= Math.max(from, 1); i -= 1) {
      const { text, changed } = this.#pieces[i];
      const inner = text.trim();
      const start = text.length - text.trimStart().length;
      const around = this.#pieces[i - 1];
      around.text += inner === '' ? text : text.slice(0, start) + changed(inner) + text.slice(start + inner.length);
      this.#pieces[i].text = '';
    }
  }

  /** Takes the whole line. */
  #line() {
    this.#fold(1);
    const line = this.#pieces[0].text;
    this.#pieces[0].text = '';
    return line;
  }

  #preformatted() {
    this.flush();
    const left = this.#within('pre');
    return () => {
      left();
      if (this.#in.pre > 0 || this.#tables.at(-1)?.cell) return;
      const code = this.#line().replace(/^\r?\n/, '').trimEnd();
      const longest = (code.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 2);
      const fence = '`'.repeat(longest + 1);
      if (code !== '') this.#block(this.markdown ? `${fence}\n${code}\n${fence}` : code);
    };
  }

  #container(container) {
    this.flush();
    const pushed = this.#containers.length < DEEPEST_INDENT;
    if (pushed) this.#containers.push(container);
    return () => {
      this.flush();
      if (pushed) this.#containers.pop();
    };
  }

  #item() {
    const list = this.#containers.findLast((container) => container.number !== undefined);
    const marker = list?.ordered ? `${list.number}. ` : '- ';
    if (list !== undefined) list.number += 1;
    return this.#container({ first: marker, rest: ' '.repeat(marker.length), item: true });
  }

  #table() {
    const around = this.#tables.at(-1);
    // A table in a cell: the outer one is layout, so that its cells are paragraphs.
    if (around?.cell) {
      around.layout = true;
      around.cell = false;
      this.#paragraphs(around);
    }
    this.flush();
    const table = { rows: [], row: undefined, cell: false, layout: false };
    this.#tables.push(table);
    return () => {
      table.cell = false;
      this.flush();
      this.#tables.pop();
      const cells = table.rows.flat();
      if (cells.some((cell) => cell.length > LONGEST_CELL) || table.rows.every((row) => row.length < 2)) this.#paragraphs(table);
      else this.#block(this.#written(table.rows));
    };
  }

  #paragraphs(table) {
    const line = this.#line();
    for (const cell of table.rows.flat()) if (cell !== '') this.#block(cell);
    table.rows = [];
    table.row = undefined;
    this.#pieces[0].text = line;
  }

  #row() {
    const table = this.#tables.at(-1);
    if (table === undefined || table.layout) return this.#paragraph();
    table.cell = false;
    this.flush();
    table.row = [];
    table.rows.push(table.row);
    return undefined;
  }

  #cell() {
    const table = this.#tables.at(-1);
    if (table?.row === undefined || table.layout) return this.#paragraph();
    this.flush();
    table.cell = true;
    return () => {
      if (!table.cell) return;
      table.cell = false;
      table.row?.push(oneLine(this.#line()));
    };
  }

  #written(rows) {
    const width = rows.reduce((most, row) => Math.max(most, row.length), 0);
    if (!this.markdown) return rows.filter((row) => row.some((cell) => cell !== '')).map((row) => row.join(' | ')).join('\n');
    const lines = rows.map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    return [lines[0], `|${'---|'.repeat(width)}`, ...lines.slice(1)].join('\n');
  }

  #block(text) {
    let first = '';
    let rest = '';
    let item = false;
    for (const container of this.#containers) {
      item = container.item === true && !container.used;
      first += container.used ? container.rest : container.first;
      rest += container.rest;
      if (container.item) container.used = true;
    }
    const listed = this.#containers.some((container) => container.item);
    const { edge, main, article } = this.#in;
    const indented = first + text.replaceAll('\n', `\n${rest}`);
    this.#count(first, rest);
    this.blocks.push({ text: indented, item, listed, edge: edge > 0, main: main > 0, article: article > 0 });
  }

  #add(text) {
    this.#pieces.at(-1).text += text;
  }

  #within(name, value = 1) {
    this.#in[name] += value;
    return () => {
      this.#in[name] -= value;
    };
  }

  #count(...texts) {
    for (const text of texts) this.#size += text.length;
    if (this.#size > LONGEST) throw tooLarge(`the page has more than ${LONGEST} characters`);
  }

  /** An address on the page in full; undefined where it leads to no page, or to this one. */
  #address(href) {
    const given = href?.trim() ?? '';
    if (given === '' || given.startsWith('#') || given.length > 4000) return undefined;
    try {
      const url = new URL(given, this.base);
      return ['https:', 'http:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
    } catch {
      return undefined;
    }
  }
}

function isHidden(attributes) {
  return (
    attributes.hidden !== undefined ||
    attributes['aria-hidden'] === 'true' ||
    /(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)/i.test(attributes.style ?? '')
  );
}

/** Spaces and line breaks of a paragraph as they are to be read. */
function tidy(text) {
  return text.split('\n').map((line) => line.replace(/\s+/g, ' ').trim()).join('\n').replace(/\n{3,}/g, '\n\n').trim();
}

const oneLine = (text) => text.replace(/\s+/g, ' ').trim();
const bracketed = (address) => (/[()]/.test(address) ? `<${address}>` : address);
