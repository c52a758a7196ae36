// JSONPath (RFC 9535): a path is parsed to segments, each a function from nodes to nodes. Section numbers are the RFC's.

import { Numeral, isNumber, same } from './json.js';
import { invalidArgument } from './problem.js';

/** What a query of one node has for nothing (2.4.1); `null` is a JSON value. */
const NOTHING = Symbol('nothing');

/** The deepest nesting of parentheses, filters and negations in a path. */
const DEEPEST = 100;

/** The functions of 2.4, with the types of their parameters and result. */
const FUNCTIONS = {
  length: { takes: ['value'], gives: 'value', call: length },
  count: { takes: ['nodes'], gives: 'value', call: (nodes) => new Numeral(String(nodes.length)) },
  value: { takes: ['nodes'], gives: 'value', call: (nodes) => (nodes.length === 1 ? nodes[0].value : NOTHING) },
  match: { takes: ['value', 'value'], gives: 'logical', call: (text, pattern) => test(text, pattern, true) },
  search: { takes: ['value', 'value'], gives: 'logical', call: (text, pattern) => test(text, pattern, false) },
};

function length(value) {
  if (typeof value === 'string') return new Numeral(String([...value].length));
  if (Array.isArray(value)) return new Numeral(String(value.length));
  if (value instanceof Map) return new Numeral(String(value.size));
  return NOTHING;
}

/** I-Regexp (RFC 9485) is a subset of JavaScript's, but for the dot, which leaves out only two characters. */
function test(text, pattern, whole) {
  if (typeof text !== 'string' || typeof pattern !== 'string') return false;
  let dots = '';
  let inClass = false;
  for (let i = 0; i < pattern.length; i += 1) {
    const c = pattern[i];
    if (c === '\\') dots += c + (pattern[(i += 1)] ?? '');
    else {
      if (c === '[') inClass = true;
      if (c === ']') inClass = false;
      dots += c === '.' && !inClass ? '[^\\n\\r]' : c;
    }
  }
  try {
    return new RegExp(whole ? `^(?:${dots})$` : dots, 'u').test(text);
  } catch {
    // The engine of the component has no tables of Unicode. To say so is better than to match nothing.
    if (/\\[pP]\{/.test(pattern)) throw invalidArgument(`the pattern ${JSON.stringify(pattern)} has \\p or \\P, which this tool does not know`);
    return false; // 2.4.6: a pattern that is none matches nothing
  }
}

/** The children of a value: [key or index, value]. */
function children(value) {
  if (Array.isArray(value)) return value.entries();
  return value instanceof Map ? value.entries() : [];
}

const child = (node, key, value) => ({ value, key, parent: node });

/** The nodes below and including one, in document order (2.5.2.2). */
function descend(node, into) {
  into.push(node);
  for (const [key, value] of children(node.value)) descend(child(node, key, value), into);
  return into;
}

/** The normalized path of a node (2.7). */
export function location(node) {
  const keys = [];
  for (let at = node; at.parent; at = at.parent) keys.push(at.key);
  const quoted = (key) => `'${JSON.stringify(key).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  return `$${keys.reverse().map((key) => `[${typeof key === 'number' ? key : quoted(key)}]`).join('')}`;
}

/** The nodes of a document that a path selects. */
export function select(document, path) {
  const root = { value: document, key: null, parent: null };
  return new PathParser(path).whole()(root, root);
}

/** Whether `left operator right` holds (2.3.5.2.2). */
function compare(operator, left, right) {
  const less = (a, b) =>
    (a instanceof Numeral && b instanceof Numeral && a.value < b.value) ||
    (typeof a === 'string' && typeof b === 'string' && lessText(a, b));
  switch (operator) {
    case '==': return same(left, right);
    case '!=': return !same(left, right);
    case '<': return less(left, right);
    case '>': return less(right, left);
    case '<=': return less(left, right) || same(left, right);
    default: return less(right, left) || same(left, right);
  }
}

/** By Unicode scalar values, not by the UTF-16 units that `<` takes. */
function lessText(a, b) {
  const left = [...a];
  const right = [...b];
  const at = left.findIndex((c, i) => c !== right[i]);
  if (at < 0) return left.length < right.length;
  return at < right.length && left[at].codePointAt(0) < right[at].codePointAt(0);
}

class PathParser {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.depth = 0;
  }

  fail(message) {
    throw invalidArgument(`path, column ${this.at + 1}: ${message}`);
  }

  space() {
    while (' \t\n\r'.includes(this.text[this.at] ?? 'x')) this.at += 1;
  }

  takes(token) {
    if (!this.text.startsWith(token, this.at)) return false;
    this.at += token.length;
    return true;
  }

  expect(token) {
    if (!this.takes(token)) this.fail(`expected "${token}"`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  whole() {
    if (!this.takes('$')) this.fail('a path begins with "$"');
    const query = this.segments().run;
    if (this.at < this.text.length) this.fail('expected "[", "." or the end of the path');
    return query;
  }

  /** Segments up to what is none; `singular` where they select one node at most (2.3.5.1). */
  segments() {
    const steps = [];
    let singular = true;
    for (;;) {
      const start = this.at;
      this.space();
      let step;
      if (this.takes('..')) {
        singular = false;
        const below = this.text[this.at] === '[' ? this.brackets() : this.shorthand();
        step = (nodes, root) => nodes.flatMap((node) => descend(node, []).flatMap((each) => below.run(each, root)));
      } else if (this.text[this.at] === '[' || this.text[this.at] === '.') {
        const selector = this.takes('.') ? this.shorthand() : this.brackets();
        singular &&= selector.singular;
        step = (nodes, root) => nodes.flatMap((node) => selector.run(node, root));
      } else {
        this.at = start;
        return { singular, run: (node, root) => steps.reduce((nodes, each) => each(nodes, root), [node]) };
      }
      steps.push(step);
    }
  }

  shorthand() {
    if (this.takes('*')) return { singular: false, run: wildcard };
    const name = this.match(/[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_\u0080-\u{10ffff}]*/uy);
    if (name === null) this.fail('expected a name, "*" or "["');
    return named(name);
  }

  brackets() {
    this.expect('[');
    const selectors = [];
    do {
      this.space();
      selectors.push(this.selector());
      this.space();
    } while (this.takes(','));
    this.expect(']');
    return {
      singular: selectors.length === 1 && selectors[0].singular,
      run: (node, root) => selectors.flatMap((selector) => selector.run(node, root)),
    };
  }

  selector() {
    const next = this.text[this.at];
    if (next === '"' || next === "'") return named(this.string());
    if (this.takes('*')) return { singular: false, run: wildcard };
    if (this.takes('?')) {
      const condition = this.nested(() => this.either());
      const run = (node, root) =>
        [...children(node.value)].map(([key, value]) => child(node, key, value)).filter((each) => condition(each, root));
      return { singular: false, run };
    }
    const first = this.integer();
    const afterFirst = this.at;
    this.space();
    if (!this.takes(':')) {
      this.at = afterFirst;
      if (first === null) this.fail('expected a name in quotes, an index, a slice, "*" or "?"');
      return { singular: true, run: (node) => indexed(node, first) };
    }
    this.space();
    const end = this.integer();
    this.space();
    let step = null;
    if (this.takes(':')) {
      this.space();
      step = this.integer();
    }
    return { singular: false, run: (node) => sliced(node, first, end, step ?? 1) };
  }

  integer() {
    const text = this.match(/0|-?[1-9][0-9]*/y);
    if (text === null) return null;
    const number = Number(text);
    if (!Number.isSafeInteger(number)) this.fail('a number beyond ±(2^53−1)');
    return number;
  }

  string() {
    const quote = this.text[this.at];
    this.at += 1;
    let value = '';
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) this.fail('the path ends within a string');
      if (c < ' ') this.fail('a control character in a string');
      this.at += 1;
      if (c === quote) break;
      if (c !== '\\') {
        value += c;
        continue;
      }
      const escape = this.text[this.at];
      this.at += 1;
      if (escape === 'u') {
        const digits = this.match(/[0-9a-fA-F]{4}/y);
        if (digits === null) this.fail('expected four hexadecimal digits after \\u');
        value += String.fromCharCode(parseInt(digits, 16));
      } else if (escape === quote) value += quote;
      else {
        const at = 'bfnrt/\\'.indexOf(escape ?? ' ');
        if (at < 0) this.fail('an unknown escape in a string');
        value += '\b\f\n\r\t/\\'[at];
      }
    }
    if (!value.isWellFormed()) this.fail('half of a surrogate pair in a string');
    return value;
  }

  nested(parse) {
    this.depth += 1;
    if (this.depth > DEEPEST) this.fail(`nested more than ${DEEPEST} deep`);
    this.space();
    const result = parse();
    this.depth -= 1;
    return result;
  }

  either() {
    const parts = [this.both()];
    for (this.space(); this.takes('||'); this.space()) parts.push((this.space(), this.both()));
    return parts.length === 1 ? parts[0] : (node, root) => parts.some((part) => part(node, root));
  }

  both() {
    const parts = [this.basic()];
    for (this.space(); this.takes('&&'); this.space()) parts.push((this.space(), this.basic()));
    return parts.length === 1 ? parts[0] : (node, root) => parts.every((part) => part(node, root));
  }

  basic() {
    if (this.text[this.at] === '!' && this.text[this.at + 1] !== '=') {
      this.at += 1;
      const condition = this.nested(() => this.negated());
      return (node, root) => !condition(node, root);
    }
    if (this.text[this.at] === '(') return this.parenthesis();
    const left = this.operand();
    const end = this.at;
    this.space();
    const operator = this.match(/==|!=|<=|>=|<|>/y);
    if (operator === null) {
      this.at = end;
      return this.asCondition(left);
    }
    this.space();
    const values = [left, this.operand()].map((operand) => this.asValue(operand));
    return (node, root) => compare(operator, values[0](node, root), values[1](node, root));
  }

  /** After `!`: a parenthesis or a test, not a comparison. */
  negated() {
    return this.text[this.at] === '(' ? this.parenthesis() : this.asCondition(this.operand());
  }

  parenthesis() {
    this.expect('(');
    const condition = this.nested(() => this.either());
    this.space();
    this.expect(')');
    return condition;
  }

  /** A literal, query or function call: `type` is literal, nodes, value or logical. */
  operand() {
    const next = this.text[this.at];
    if (next === '@' || next === '$') {
      this.at += 1;
      const query = this.segments();
      return { type: 'nodes', singular: query.singular, run: (node, root) => query.run(next === '@' ? node : root, root) };
    }
    if (next === '"' || next === "'") {
      const text = this.string();
      return { type: 'literal', run: () => text };
    }
    const name = this.match(/[a-z][a-z0-9_]*/y);
    if (name !== null && this.takes('(')) return this.call(name);
    const words = { true: true, false: false, null: null };
    if (name !== null && Object.hasOwn(words, name)) return { type: 'literal', run: () => words[name] };
    const number = name === null ? this.match(/-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y) : null;
    if (number === null || !isNumber(number)) this.fail('expected "@", "$", a literal or a function');
    const numeral = new Numeral(number);
    return { type: 'literal', run: () => numeral };
  }

  call(name) {
    if (!Object.hasOwn(FUNCTIONS, name)) this.fail(`there is no function "${name}"`);
    const known = FUNCTIONS[name];
    const given = [];
    this.nested(() => {
      if (this.text[this.at] === ')') return;
      do {
        this.space();
        given.push(this.operand());
        this.space();
      } while (this.takes(','));
    });
    this.space();
    this.expect(')');
    if (given.length !== known.takes.length) this.fail(`"${name}" takes ${known.takes.length}, not ${given.length}`);
    const runs = given.map((operand, i) => {
      if (known.takes[i] === 'value') return this.asValue(operand);
      if (operand.type !== 'nodes') this.fail(`"${name}" takes a path`);
      return operand.run;
    });
    return { type: known.gives, run: (node, root) => known.call(...runs.map((run) => run(node, root))) };
  }

  asValue(operand) {
    if (operand.type === 'logical') this.fail('a function that says yes or no cannot be compared');
    if (operand.type !== 'nodes') return operand.run;
    if (!operand.singular) this.fail('this path may select several parts; only one can be compared');
    return (node, root) => {
      const nodes = operand.run(node, root);
      return nodes.length > 0 ? nodes[0].value : NOTHING;
    };
  }

  asCondition(operand) {
    if (operand.type === 'logical') return operand.run;
    if (operand.type !== 'nodes') this.fail('a literal or value alone is no condition; compare it');
    return (node, root) => operand.run(node, root).length > 0;
  }
}

function wildcard(node) {
  return [...children(node.value)].map(([key, value]) => child(node, key, value));
}

function named(name) {
  const run = (node) => (node.value instanceof Map && node.value.has(name) ? [child(node, name, node.value.get(name))] : []);
  return { singular: true, run };
}

function indexed(node, index) {
  if (!Array.isArray(node.value)) return [];
  const at = index < 0 ? node.value.length + index : index;
  return at >= 0 && at < node.value.length ? [child(node, at, node.value[at])] : [];
}

/** 2.3.4.2.2 */
function sliced(node, first, end, step) {
  if (!Array.isArray(node.value) || step === 0) return [];
  const { length } = node.value;
  const within = (number, least, most) => Math.min(Math.max(number < 0 ? length + number : number, least), most);
  const nodes = [];
  if (step > 0) {
    const upper = within(end ?? length, 0, length);
    for (let i = within(first ?? 0, 0, length); i < upper; i += step) nodes.push(child(node, i, node.value[i]));
  } else {
    const lower = end === null ? -1 : within(end, -1, length - 1);
    for (let i = within(first ?? length - 1, -1, length - 1); i > lower; i += step) nodes.push(child(node, i, node.value[i]));
  }
  return nodes;
}
