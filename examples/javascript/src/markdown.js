// Markdown as plain text. The common parts of CommonMark, and tables with pipes; no layout that depends on exact indentation.

import { isDelimiterRow, markdownCells } from './table.js';

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ', copy: '©', hellip: '…', mdash: '—', ndash: '–' };

/** The deepest quotations within quotations. */
const DEEPEST = 20;

/** The plain text of a Markdown text; `addresses`: whether those of links are shown. */
export function plainText(markdown, addresses) {
  const lines = markdown.replace(/\r\n?/g, '\n').replaceAll('\0', '\ufffd').split('\n');
  const references = new Map();
  const kept = [];
  for (const line of lines) {
    const definition = /^ {0,3}\[([^\]]+)\]:\s*<?([^\s>]+)>?(?:\s+["'(].*)?\s*$/.exec(line);
    if (definition && !definition[1].startsWith('^')) references.set(definition[1].toLowerCase(), definition[2]);
    else kept.push(line);
  }
  const out = [];
  blocks(kept, (text) => inline(text, { references, addresses }), out);
  return `${out.join('\n').replace(/\n{3,}/g, '\n\n').trim()}\n`.replace(/^\n$/, '');
}

/** Goes through the lines block by block; paragraphs are collected and joined. */
function blocks(lines, marked, out, depth = 0) {
  let paragraph = [];
  const flush = () => {
    if (paragraph.length > 0) out.push(marked(paragraph.join('\n')));
    paragraph = [];
  };
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i];
    const fence = /^\s*(`{3,}|~{3,})([^`]*)$/.exec(line);
    if (fence) {
      flush();
      out.push('');
      const end = new RegExp(`^\\s*\\${fence[1][0]}{${fence[1].length},}\\s*$`);
      for (i += 1; i < lines.length && !end.test(lines[i]); i += 1) out.push(lines[i]);
      out.push('');
      continue;
    }
    if (line.trim() === '') {
      flush();
      out.push('');
      continue;
    }
    if (paragraph.length === 1 && /^ {0,3}(=+|-+)\s*$/.test(line)) {
      flush(); // the line below a heading
      out.push('');
      continue;
    }
    const heading = /^ {0,3}#{1,6}(?:\s+(.*?))?(?:\s+#+)?\s*$/.exec(line);
    if (heading) {
      flush();
      out.push('', marked(heading[1] ?? ''), '');
      continue;
    }
    if (/^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/.test(line)) {
      flush();
      out.push('');
      continue;
    }
    if (line.includes('|') && isDelimiterRow(lines[i + 1])) {
      flush();
      out.push('', row(line, marked));
      for (i += 2; i < lines.length && lines[i].includes('|'); i += 1) out.push(row(lines[i], marked));
      out.push('');
      i -= 1;
      continue;
    }
    const quote = /^ {0,3}> ?(.*)$/.exec(line);
    if (quote && depth < DEEPEST) {
      flush();
      const inner = [quote[1]];
      while (i + 1 < lines.length && /^ {0,3}>/.test(lines[i + 1])) inner.push(lines[(i += 1)].replace(/^ {0,3}> ?/, ''));
      out.push('');
      blocks(inner, marked, out, depth + 1);
      out.push('');
      continue;
    }
    const item = /^(\s*)([-*+]|\d{1,9}[.)])\s+(?:\[([ xX])\]\s+)?(.*)$/.exec(line);
    if (item) {
      flush();
      const bullet = /\d/.test(item[2]) ? item[2] : '-';
      const box = item[3] === undefined ? '' : item[3] === ' ' ? '(open) ' : '(done) ';
      const text = [item[4]];
      while (i + 1 < lines.length && continues(lines[i + 1])) text.push(lines[(i += 1)].trim());
      out.push(`${item[1]}${bullet} ${box}${marked(text.join('\n'))}`);
      continue;
    }
    if (paragraph.length === 0 && /^(?: {4}|\t)/.test(line)) {
      out.push(line.replace(/^(?: {4}|\t)/, '')); // a block of code
      continue;
    }
    paragraph.push(line.trimStart());
  }
  flush();
}

/** Whether a line goes on with the text of a list's item. */
function continues(line) {
  return line.trim() !== '' && !/^\s*(?:[-*+]\s|\d{1,9}[.)]\s|#{1,6}\s|>|`{3}|~{3})/.test(line);
}

function row(line, marked) {
  return markdownCells(line).map(marked).join(' | ');
}

/** The text of a paragraph without marks. Emphasis of more than 500 characters is left: to look further for the end of each mark
 * would take the square of a long line's length. Code and escaped characters are set aside first, for no mark counts in them. */
function inline(text, { references, addresses }) {
  const aside = [];
  // NUL cannot be in the text: it was replaced at the start.
  const put = (literal) => `\0${aside.push(literal) - 1}\0`;
  const link = (label, address) => (addresses && address && address !== label ? `${label} (${put(address)})` : label);
  const shown = text
    .replace(/(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)/gs, (_, __, code) => put(code.replaceAll('\n', ' ').replace(/^ (.*\S.*) $/, '$1')))
    .replace(/\\([!-/:-@[-`{-~])/g, (_, c) => put(c))
    .replace(/<((?:https?|mailto|ftp):[^\s<>]*)>/g, (_, address) => put(address))
    .replace(/<!--.{0,2000}?-->/gs, '')
    .replace(/<br\s*\/?>/gi, '  \n')
    .replace(/<\/?[A-Za-z][^<>]*>/g, '')
    .replace(/!\[([^[\]]*)\]\(\s*<?[^()\s<>]*>?(?:\s+["'][^"']*["'])?\s*\)/g, '$1')
    .replace(/\[([^[\]]*)\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/g, (_, label, to) => link(label, to))
    .replace(/!?\[([^[\]]+)\]\[([^[\]]*)\]/g, (all, label, name) => {
      const to = references.get((name || label).toLowerCase());
      return to === undefined ? all : link(label, to);
    })
    .replace(/(?<!!)\[([^[\]]+)\](?![[(:])/g, (all, label) => {
      const to = references.get(label.toLowerCase());
      return to === undefined ? all : link(label, to);
    })
    .replace(/(\*\*|__)(?=\S)([^\n]{0,500}?\S)\1/g, (all, mark, inner, at, whole) => unmarked(all, mark, inner, at, whole))
    .replace(/(\*|_)(?=\S)([^*\n]{0,500}?\S)\1/g, (all, mark, inner, at, whole) => unmarked(all, mark, inner, at, whole))
    .replace(/~~(?=\S)([^\n]{0,500}?\S)~~/g, '$1')
    .replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,6}));/g, (all, decimal, hex, name) => {
      if (name) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : all;
      const code = decimal ? Number(decimal) : parseInt(hex, 16);
      const scalar = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
      return scalar ? String.fromCodePoint(code) : '\ufffd';
    })
    .replace(/(?: {2,}|\\)\n/g, '\0br\0')
    .replace(/\s*\n\s*/g, ' ')
    .replaceAll('\0br\0', '\n');
  return shown.replace(/\0(\d+)\0/g, (_, i) => aside[i]).trimEnd();
}

/** Emphasis without its marks; underscores within a word, as in `file_name_1`, are none. */
function unmarked(all, mark, inner, at, whole) {
  // The engine has no tables of Unicode, so no \p{L}: every character beyond ASCII counts as one of a word.
  const word = /[A-Za-z0-9_\u0080-\uffff]/;
  if (mark[0] === '_' && (word.test(whole[at - 1] ?? ' ') || word.test(whole[at + all.length] ?? ' '))) return all;
  return inner;
}
