// The functions of wit/text/world.wit, under the names that componentize-js looks for: an export for the interface, with
// kebab-case in camelCase. An absent option is undefined.

import { compare } from './diff.js';
import { parse, print } from './json.js';
import { location, select } from './jsonpath.js';
import { plainText } from './markdown.js';
import { bounded, checkSize } from './problem.js';
import { readTable, writeTable } from './table.js';

export const text = {
  queryJson(document, path, limit) {
    checkSize('the document', document);
    checkSize('the path', path);
    const most = bounded('limit', limit, 100, 1, 10_000);
    const nodes = select(parse(document), path);
    const matches = nodes.slice(0, most).map((node) => ({ path: location(node), value: print(node.value) }));
    return { matches, total: nodes.length };
  },

  convertTable(table, source, target, typed) {
    checkSize('the table', table);
    const read = readTable(table, source);
    return { text: writeTable(read, target, typed ?? true), columns: read.columns, rows: read.rows.length };
  },

  compareTexts(before, after, context) {
    checkSize('the first text', before);
    checkSize('the second text', after);
    return compare(before, after, bounded('context', context, 3, 0, 100));
  },

  markdownToText(markdown, addresses) {
    checkSize('the text', markdown);
    return plainText(markdown, addresses ?? true);
  },
};
