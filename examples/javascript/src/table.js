// Tables in six formats. A table is `{ columns, rows }`: the names, and rows of cells in their order. A cell is a JSON value
// (see json.js); from formats that know only text it is a string.

import { Numeral, isNumber, parse, print } from './json.js';
import { invalidText, place } from './problem.js';

const SEPARATORS = { csv: ',', semicolon: ';', tsv: '\t' };

/** Reads a table. */
export function readTable(text, format) {
  if (format === 'json') return fromRecords(parse(text), (i) => `item ${i + 1}`);
  if (format === 'json-lines') return fromRecords(...jsonLines(text));
  const table = format === 'markdown' ? markdownTable(text) : separated(text, SEPARATORS[format]);
  const twice = table.columns.find((name, i) => table.columns.indexOf(name) < i);
  if (twice !== undefined) throw invalidText(`two columns are named ${JSON.stringify(twice)}`);
  return table;
}

/** Writes a table. `typed`: whether text cells that read as a JSON number, truth or nothing become that. */
export function writeTable(table, format, typed) {
  const { columns, rows } = table;
  if (format === 'json' || format === 'json-lines') {
    const objects = rows.map((row) => {
      const pairs = row.flatMap((cell, i) => (cell === undefined ? [] : [[columns[i], typed ? typeOf(cell) : cell]]));
      return print(new Map(pairs));
    });
    if (format === 'json-lines') return objects.map((object) => `${object}\n`).join('');
    return objects.length === 0 ? '[]' : `[\n${objects.map((object) => `  ${object}`).join(',\n')}\n]`;
  }
  const texts = [columns, ...rows.map((row) => row.map(cellText))];
  if (format === 'markdown') {
    texts.splice(1, 0, columns.map(() => '---'));
    const escaped = (cell) => cell.replace(/[\\|]/g, '\\$&').replace(/\r\n|[\r\n]/g, '<br>');
    return texts.map((row) => `| ${row.map(escaped).join(' | ')} |\n`).join('');
  }
  const separator = SEPARATORS[format];
  // A lone empty cell is quoted, else its row would be an empty line, which readers pass over.
  const quoted = (cell) => (/["\r\n]/.test(cell) || cell.includes(separator) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return texts.map((row) => `${row.length === 1 && row[0] === '' ? '""' : row.map(quoted).join(separator)}\n`).join('');
}

function typeOf(cell) {
  if (typeof cell !== 'string') return cell;
  if (cell === '') return null;
  if (cell === 'true' || cell === 'false') return cell === 'true';
  return isNumber(cell) ? new Numeral(cell) : cell;
}

function cellText(cell) {
  if (cell === undefined || cell === null) return '';
  return typeof cell === 'string' ? cell : print(cell);
}

/** A JSON array of objects; the columns are all of their keys, in the order in which they first come. */
function fromRecords(records, where) {
  if (!Array.isArray(records)) throw invalidText('expected an array of objects');
  const columns = new Map();
  for (const [i, record] of records.entries()) {
    if (!(record instanceof Map)) throw invalidText(`${where(i)}: expected an object`);
    for (const key of record.keys()) if (!columns.has(key)) columns.set(key, columns.size);
  }
  const names = [...columns.keys()];
  return { columns: names, rows: records.map((record) => names.map((name) => record.get(name))) };
}

function jsonLines(text) {
  const lines = text.split(/\r?\n/);
  const numbers = [];
  const records = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    try {
      records.push(parse(line));
    } catch (error) {
      if (error.tag !== 'invalid-text') throw error;
      throw invalidText(error.val.replace(/^line 1,/, `line ${i + 1},`));
    }
    numbers.push(i + 1);
  }
  return [records, (i) => `line ${numbers[i]}`];
}

/** RFC 4180 with any separator and any line ending; empty lines are passed over. */
function separated(text, separator) {
  const rows = [];
  let at = text.startsWith('\ufeff') ? 1 : 0;
  const ends = new RegExp(`[${separator === '\t' ? '\\t' : separator}\\r\\n]`, 'g');
  while (at < text.length) {
    const start = at;
    const row = [];
    let quotes = false;
    for (;;) {
      let cell;
      if (text[at] === '"') {
        quotes = true;
        const open = at;
        cell = '';
        for (;;) {
          const close = text.indexOf('"', at + 1);
          if (close < 0) throw invalidText(`${place(text, open)}: the quoted cell has no end`);
          cell += text.slice(at + 1, close);
          at = close + 1;
          if (text[at] !== '"') break;
          cell += '"';
        }
        if (at < text.length && text[at] !== separator && text[at] !== '\r' && text[at] !== '\n') {
          throw invalidText(`${place(text, at)}: text after the end of a quoted cell`);
        }
      } else {
        ends.lastIndex = at;
        const end = ends.exec(text)?.index ?? text.length;
        cell = text.slice(at, end);
        at = end;
      }
      row.push(cell);
      if (text[at] !== separator) break;
      at += 1;
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    if (row.length === 1 && row[0] === '' && !quotes) continue;
    const wanted = rows[0]?.length ?? row.length;
    if (row.length !== wanted) throw invalidText(`${place(text, start)}: a row of ${row.length} cells in a table of ${wanted} columns`);
    rows.push(row);
  }
  const [columns, ...rest] = rows;
  if (!columns) throw invalidText('the table is empty: its first row names the columns');
  return { columns, rows: rest };
}

/** The first table with pipes in a Markdown text. */
function markdownTable(text) {
  const lines = text.split(/\r\n|[\r\n]/);
  const at = lines.findIndex((line, i) => line.includes('|') && isDelimiterRow(lines[i + 1]));
  if (at < 0) throw invalidText('there is no table with pipes: a row of names, and below it a row such as |---|---|');
  const plain = (cell) => cell.replace(/<br\s*\/?>/gi, '\n');
  const columns = markdownCells(lines[at]).map(plain);
  const rows = [];
  for (const line of lines.slice(at + 2)) {
    if (!line.includes('|') || line.trim() === '') break;
    const cells = markdownCells(line).map(plain);
    // As Markdown has it, missing cells are empty and surplus ones are not shown.
    rows.push(columns.map((_, i) => cells[i] ?? ''));
  }
  return { columns, rows };
}

/** Whether a line is the row of dashes below a table's names. */
export function isDelimiterRow(line) {
  return line !== undefined && line.includes('|') && /^\s*\|?(\s*:?-+:?\s*\|)*\s*(:?-+:?\s*)?$/.test(line) && line.includes('-');
}

/** The cells of a line of a Markdown table. */
export function markdownCells(line) {
  const inner = line.trim().replace(/^\|/, '');
  const cells = [''];
  for (let i = 0; i < inner.length; i += 1) {
    const c = inner[i];
    if (c === '\\' && (inner[i + 1] === '|' || inner[i + 1] === '\\')) cells[cells.length - 1] += inner[(i += 1)];
    else if (c === '|') cells.push('');
    else cells[cells.length - 1] += c;
  }
  if (cells.length > 1 && cells.at(-1).trim() === '') cells.pop();
  return cells.map((cell) => cell.trim());
}
